"""The session store (document 004): the names, errors and transactions of its interface, over the one writer."""

from sessions_app.services.session_store.errors import StorageError, StorageNotFoundError
from sessions_app.services.session_store.shapes import SessionData, SessionMetadata
from sessions_app.services.session_store.store import SessionStore
from sessions_app.services.session_store.sync import SyncSessionStore

__all__ = ["SessionData", "SessionMetadata", "SessionStore", "StorageError", "StorageNotFoundError", "SyncSessionStore"]
