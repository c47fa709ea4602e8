"""The async face of the session store, with the interface of document 004."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from asgiref.sync import sync_to_async
from django.db import close_old_connections, connection

from config.shared.callers import SYSTEM, Caller
from sessions_app.services.session_store.calls import StoreCalls
from sessions_app.services.session_store.shapes import Data

Result = TypeVar("Result")


class SessionStore:
    """Sessions of one project for code that runs in an event loop.

    Every call is one transaction and raises StorageError when it cannot do its work; nothing is swallowed. Like all of
    Django's async calls they run in the one thread that `sync_to_async` keeps for the loop's code.
    """

    def __init__(self, project_id: int, *, caller: Caller = SYSTEM) -> None:
        self._calls = StoreCalls(project_id, caller)

    async def save_session(self, session_id: str, session_data: Data) -> None:
        """Create the session, or replace it whole. What it was given is not changed. Raises StorageError."""
        await _run(self._calls.save, session_id, session_data)

    async def get_session(self, session_id: str) -> dict[str, Any] | None:
        """Return the session's data, or None where there is none. Raises StorageError when it cannot be known."""
        return await _run(self._calls.get, session_id)

    async def delete_session(self, session_id: str) -> None:
        """Delete the session with all that hangs on it. Raises StorageNotFoundError, StorageError."""
        await _run(self._calls.delete, session_id)

    async def list_sessions(self, filters: Data | None = None, limit: int | None = None) -> list[dict[str, Any]]:
        """Return the sessions that all filters let through, the newest first, at most `limit`.

        Filters are `status`, `user_id`, `session_id`, `tags` and plain values of the metadata by their key. Raises
        StorageError, also for a filter that there is not.
        """
        return await _run(self._calls.list, filters, limit)

    async def session_exists(self, session_id: str) -> bool:
        """Return whether there is such a session. Raises StorageError when it cannot be known."""
        return await _run(self._calls.exists, session_id)

    async def update_session(self, session_id: str, updates: Data) -> None:
        """Merge the updates into the stored data (RFC 7396: null takes a key away).

        Raises StorageNotFoundError, StorageError.
        """
        await _run(self._calls.update, session_id, updates)

    async def batch_save_sessions(self, sessions: Mapping[str, Data]) -> None:
        """Save all of them in one transaction, or none. Raises StorageError."""
        await _run(self._calls.batch_save, sessions)

    async def batch_delete_sessions(self, session_ids: Sequence[str]) -> None:
        """Delete all of them in one transaction, or none. Raises StorageNotFoundError that names the missing ones."""
        await _run(self._calls.batch_delete, session_ids)


def outside_requests(call: Callable[..., Result], *arguments: Any) -> Result:
    """Call as outside of requests, where nobody else does so: leave a connection first that has died or is too old."""
    if not connection.in_atomic_block:
        close_old_connections()
    return call(*arguments)


async def _run(call: Callable[..., Result], *arguments: Any) -> Result:
    return await sync_to_async(outside_requests)(call, *arguments)
