"""The document store: JSON values under a namespace and a key, with a time to live, on the backend of the namespace."""

from sessions_app.services.documents.changes import Change, Kind
from sessions_app.services.documents.keys import safe_key, safe_namespace
from sessions_app.services.documents.storage import DocumentStorage, SyncDocumentStorage
from sessions_app.services.documents.stored import StoredDocument
from sessions_app.services.documents.writing import (
    document_delete,
    document_find,
    document_save,
    document_update,
    documents_change,
    documents_count,
    documents_page,
    documents_prune,
)

__all__ = [
    "Change",
    "DocumentStorage",
    "Kind",
    "StoredDocument",
    "SyncDocumentStorage",
    "document_delete",
    "document_find",
    "document_save",
    "document_update",
    "documents_change",
    "documents_count",
    "documents_page",
    "documents_prune",
    "safe_key",
    "safe_namespace",
]
