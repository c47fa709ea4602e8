"""The sync face of the session store: the same calls for a script, a thread, and code below a running event loop."""

import asyncio
import contextvars
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from django.db import connections

from config.shared.callers import SYSTEM, Caller
from sessions_app.services.session_store.calls import StoreCalls
from sessions_app.services.session_store.shapes import Data
from sessions_app.services.session_store.store import outside_requests

Result = TypeVar("Result")


class SyncSessionStore:
    """Sessions of one project, as SessionStore has them, without `await`.

    It never starts an event loop, which fails where one runs (the fault of document 004's adapter). Called from a
    thread whose loop is running, it does its work in a thread of its own and waits for it: correct, but the loop stands
    still meanwhile, so async code uses SessionStore. There the call is no part of a transaction of the caller.
    """

    def __init__(self, project_id: int, *, caller: Caller = SYSTEM) -> None:
        self._calls = StoreCalls(project_id, caller)

    def save_session(self, session_id: str, session_data: Data) -> None:
        """See SessionStore."""
        _run(self._calls.save, session_id, session_data)

    def get_session(self, session_id: str) -> dict[str, Any] | None:
        """See SessionStore."""
        return _run(self._calls.get, session_id)

    def delete_session(self, session_id: str) -> None:
        """See SessionStore."""
        _run(self._calls.delete, session_id)

    def list_sessions(self, filters: Data | None = None, limit: int | None = None) -> list[dict[str, Any]]:
        """See SessionStore."""
        return _run(self._calls.list, filters, limit)

    def session_exists(self, session_id: str) -> bool:
        """See SessionStore."""
        return _run(self._calls.exists, session_id)

    def update_session(self, session_id: str, updates: Data) -> None:
        """See SessionStore."""
        _run(self._calls.update, session_id, updates)

    def batch_save_sessions(self, sessions: Mapping[str, Data]) -> None:
        """See SessionStore."""
        _run(self._calls.batch_save, sessions)

    def batch_delete_sessions(self, session_ids: Sequence[str]) -> None:
        """See SessionStore."""
        _run(self._calls.batch_delete, session_ids)


def _run(call: Callable[..., Result], *arguments: Any) -> Result:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return outside_requests(call, *arguments)
    with ThreadPoolExecutor(1) as beside:
        return beside.submit(contextvars.copy_context().run, _beside, call, *arguments).result()


def _beside(call: Callable[..., Result], *arguments: Any) -> Result:
    try:
        return outside_requests(call, *arguments)
    finally:
        # The thread ends with the call, and its connection with it.
        connections.close_all()
