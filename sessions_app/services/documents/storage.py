"""The unified storage interface of document 004 over the document store: async, and the same without a loop."""

import asyncio
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime
from typing import Any, TypeVar

from asgiref.sync import sync_to_async
from django.db import connections
from django.utils import timezone

from config.shared.errors import StorageError, StorageNotFoundError
from sessions_app.services.documents.changes import Change, Kind
from sessions_app.services.documents.stored import StoredDocument
from sessions_app.services.documents.writing import document_find, documents_change, documents_page

PAGE = 500
Data = dict[str, Any]
Result = TypeVar("Result")


class _Storage:
    """What both faces do, within one project and namespace."""

    def __init__(self, project_id: int, namespace: str, clock: Callable[[], datetime]) -> None:
        self._project_id, self._namespace, self._clock = project_id, namespace, clock

    def find(self, key: str) -> StoredDocument | None:
        return document_find(project_id=self._project_id, namespace=self._namespace, key=key, now=self._clock())

    def apply(self, changes: Sequence[Change]) -> None:
        documents_change(project_id=self._project_id, changes=changes, now=self._clock())

    def change(self, kind: Kind, key: str, value: Any = None, **more: Any) -> Change:
        return Change(kind, self._namespace, key, _plain(value), **more)

    def load(self, key: str) -> Any:
        document = self.find(key)
        return None if document is None else document.value

    def delete(self, key: str) -> bool:
        try:
            self.apply([self.change(Kind.DELETE, key)])
        except StorageNotFoundError:
            return False
        return True

    def listed(self, filters: Mapping[str, Any] | None, limit: int | None, prefix: str) -> list[Any]:
        found: list[Any] = []
        for value in self._values(prefix):
            if all(_at(value, path) == wanted for path, wanted in (filters or {}).items()):
                found.append(value)
                if limit is not None and len(found) >= limit:
                    break
        return found

    def _values(self, prefix: str) -> Iterator[Any]:
        after = ""
        while True:
            page = documents_page(
                project_id=self._project_id,
                namespace=self._namespace,
                prefix=prefix,
                after=after,
                limit=PAGE,
                now=self._clock(),
            )
            yield from (document.value for document in page)
            if len(page) < PAGE:
                return
            after = page[-1].key

    def operation(self, stated: Mapping[str, Any]) -> Change:
        """Return the change that one operation of document 004 states. Raises StorageError."""
        kind, data = stated.get("type"), stated.get("data")
        if kind == "save" and isinstance(data, Mapping):
            return self.change(Kind.SAVE, _id_of(data), data, ttl=stated.get("ttl"))
        if kind == "update" and "id" in stated:
            return self.change(Kind.UPDATE, str(stated["id"]), stated.get("data", stated.get("updates")))
        if kind == "delete" and "id" in stated:
            return self.change(Kind.DELETE, str(stated["id"]))
        raise StorageError(f"An operation saves, updates or deletes; this is {kind!r}.")


class SyncDocumentStorage:
    """The interface for code without a loop; where one runs, the work is done in a thread."""

    def __init__(self, *, project_id: int, namespace: str, clock: Callable[[], datetime] = timezone.now) -> None:
        self._storage = _Storage(project_id, namespace, clock)

    def save(self, data: Data, *, ttl: int | None = None) -> None:
        """Put a document under its `id`. Raises StorageError and the store's own errors."""
        _beside_a_loop(self._storage.apply, [self._storage.change(Kind.SAVE, _id_of(data), data, ttl=ttl)])

    def load(self, key: str) -> Any:
        """Return the document, None where there is none."""
        return _beside_a_loop(self._storage.load, key)

    def delete(self, key: str) -> bool:
        """Remove the document, and return whether there was one."""
        return _beside_a_loop(self._storage.delete, key)

    def list(self, filters: Mapping[str, Any] | None = None, limit: int | None = None, prefix: str = "") -> list[Any]:
        """Return documents by key whose values at these dotted paths are these; reads as many as it takes."""
        return _beside_a_loop(self._storage.listed, filters, limit, prefix)

    def exists(self, key: str) -> bool:
        """Return whether there is a document."""
        return _beside_a_loop(self._storage.find, key) is not None

    def update(self, key: str, updates: Mapping[str, Any]) -> None:
        """Merge into a document (RFC 7396). Raises StorageNotFoundError."""
        _beside_a_loop(self._storage.apply, [self._storage.change(Kind.UPDATE, key, updates)])

    def transaction(self, operations: Sequence[Mapping[str, Any]]) -> None:
        """Do all of `{"type": "save", "data"}`, `{"type": "update" or "delete", "id", "data"}`, or none of them."""
        _beside_a_loop(self._storage.apply, [self._storage.operation(stated) for stated in operations])

    def set_field(self, key: str, field: str, value: Any) -> None:
        """Set one field of an object, which is made where it is missing (document 001: set_hash)."""
        _beside_a_loop(self._storage.apply, [self._storage.change(Kind.SET_FIELD, key, value, field=field)])

    def get_field(self, key: str, field: str) -> Any:
        """Return one field of an object, None where there is none."""
        return self.get_fields(key).get(field)

    def get_fields(self, key: str) -> Data:
        """Return all fields of an object, none where there is no object."""
        value = self.load(key)
        return value if isinstance(value, dict) else {}


class DocumentStorage:
    """The same for a running loop. Calls run where `sync_to_async` puts all of Django's, and share its connection."""

    def __init__(self, *, project_id: int, namespace: str, clock: Callable[[], datetime] = timezone.now) -> None:
        self._sync = SyncDocumentStorage(project_id=project_id, namespace=namespace, clock=clock)

    async def save(self, data: Data, *, ttl: int | None = None) -> None:
        """Put a document under its `id`."""
        await sync_to_async(self._sync.save)(data, ttl=ttl)

    async def load(self, key: str) -> Any:
        """Return the document, None where there is none."""
        return await sync_to_async(self._sync.load)(key)

    async def delete(self, key: str) -> bool:
        """Remove the document, and return whether there was one."""
        return await sync_to_async(self._sync.delete)(key)

    async def list(
        self, filters: Mapping[str, Any] | None = None, limit: int | None = None, prefix: str = ""
    ) -> list[Any]:
        """Return documents by key whose values at these dotted paths are these."""
        return await sync_to_async(self._sync.list)(filters, limit, prefix)

    async def exists(self, key: str) -> bool:
        """Return whether there is a document."""
        return await sync_to_async(self._sync.exists)(key)

    async def update(self, key: str, updates: Mapping[str, Any]) -> None:
        """Merge into a document (RFC 7396). Raises StorageNotFoundError."""
        await sync_to_async(self._sync.update)(key, updates)

    async def transaction(self, operations: Sequence[Mapping[str, Any]]) -> None:
        """Do all operations or none."""
        await sync_to_async(self._sync.transaction)(operations)

    async def set_field(self, key: str, field: str, value: Any) -> None:
        """Set one field of an object."""
        await sync_to_async(self._sync.set_field)(key, field, value)

    async def get_field(self, key: str, field: str) -> Any:
        """Return one field of an object."""
        return await sync_to_async(self._sync.get_field)(key, field)

    async def get_fields(self, key: str) -> Data:
        """Return all fields of an object."""
        return await sync_to_async(self._sync.get_fields)(key)


def _beside_a_loop(work: Callable[..., Result], *args: Any) -> Result:
    """Do the work here, or in a thread of its own where a loop runs, in which Django refuses to work."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return work(*args)
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(_and_close, work, *args).result()


def _and_close(work: Callable[..., Result], *args: Any) -> Result:
    try:
        return work(*args)
    finally:
        connections.close_all()


def _id_of(data: Mapping[str, Any]) -> str:
    if not isinstance(data.get("id"), str):
        raise StorageError("A document needs a text as its id.")
    return str(data["id"])


def _at(value: Any, path: str) -> Any:
    for step in path.split("."):
        if not isinstance(value, Mapping):
            return None
        value = value.get(step)
    return value


def _plain(value: Any) -> Any:
    """Return the value as JSON has it; times become text. Raises StorageError for what is no JSON."""
    try:
        return json.loads(json.dumps(value, default=_moment, allow_nan=False))
    except (TypeError, ValueError) as error:
        raise StorageError(f"This can't be kept as JSON: {error}.") from error


def _moment(value: Any) -> str:
    if isinstance(value, date):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} is no JSON")
