"""The services of the document store: each checks, asks the namespace's backend, and applies the rules once for all."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, cast

from config.shared.errors import InvalidInput
from sessions_app.services.documents.backends import backend_name, backend_named, backend_of, backends_used
from sessions_app.services.documents.changes import UNSTATED, Change, Kind, outcome
from sessions_app.services.documents.keys import safe_key, safe_namespace
from sessions_app.services.documents.stored import Found, StoredDocument

MOST_CHANGES = 1_000
PRUNED_AT_ONCE = 500
MOST_PRUNED = 50_000

Result = tuple[StoredDocument | None, bool]


def documents_change(*, project_id: int, changes: Sequence[Change], now: datetime) -> list[Result]:
    """Make all changes or none, and return of each what it left (None after a deletion) and whether that is new.

    The namespaces must be on one backend, which makes the transaction. Raises InvalidInput, StaleVersion,
    StorageNotFoundError, Conflict, Unavailable.
    """
    checked = [change.checked() for change in changes]
    names = {backend_name(change.namespace) for change in checked}
    if len(names) > 1 or not 0 < len(checked) <= MOST_CHANGES:
        raise InvalidInput.at("/operations", f"1 to {MOST_CHANGES} operations on namespaces of one backend.")
    results: list[Result] = []

    def decide(found: Found) -> Found:
        after, made = outcome(checked, found, now)
        results[:] = made
        return after

    places = sorted({change.place for change in checked})
    backend_named(names.pop()).change(project_id, places, decide)
    return results


def document_save(
    *,
    project_id: int,
    namespace: str,
    key: str,
    value: Any,
    ttl: int | None = None,
    now: datetime,
    expected_version: int | None = None,
) -> tuple[StoredDocument, bool]:
    """Put a value under a key; return the document and whether it is new. Raises as documents_change does."""
    change = Change(Kind.SAVE, namespace, key, value, ttl=ttl, expected_version=expected_version)
    document, is_new = documents_change(project_id=project_id, changes=[change], now=now)[0]
    return cast("StoredDocument", document), is_new


def document_update(
    *,
    project_id: int,
    namespace: str,
    key: str,
    value: Any = UNSTATED,
    ttl: int | None = None,
    now: datetime,
    expected_version: int | None = None,
) -> StoredDocument:
    """Merge into the value under a key (RFC 7396), or give it another end. Raises StorageNotFoundError."""
    change = Change(Kind.UPDATE, namespace, key, value, ttl=ttl, expected_version=expected_version)
    return cast("StoredDocument", documents_change(project_id=project_id, changes=[change], now=now)[0][0])


def document_delete(
    *, project_id: int, namespace: str, key: str, now: datetime, expected_version: int | None = None
) -> None:
    """Remove a document. Raises StorageNotFoundError, StaleVersion."""
    change = Change(Kind.DELETE, namespace, key, expected_version=expected_version)
    documents_change(project_id=project_id, changes=[change], now=now)


def document_find(*, project_id: int, namespace: str, key: str, now: datetime) -> StoredDocument | None:
    """Return the living document of a key. Raises InvalidInput for a key that cannot be."""
    place = (safe_namespace(namespace), safe_key(key))
    document = backend_of(place[0]).find(project_id, place)
    return document if document is not None and document.is_alive(now) else None


def documents_page(
    *, project_id: int, namespace: str, prefix: str = "", after: str = "", limit: int, now: datetime
) -> list[StoredDocument]:
    """Return at most `limit` living documents by key, of those whose key begins with `prefix`, behind `after`."""
    namespace = safe_namespace(namespace)
    return backend_of(namespace).page(project_id, namespace, prefix, after=after, limit=limit, now=now)


def documents_count(*, project_id: int, namespace: str, prefix: str = "", now: datetime) -> int:
    """Return how many living documents there are whose key begins with `prefix`."""
    namespace = safe_namespace(namespace)
    return backend_of(namespace).count(project_id, namespace, prefix, now)


def documents_prune(*, now: datetime) -> int:
    """Remove documents whose time has run out from every backend, some at a time, and return how many went."""
    removed = 0
    for name in backends_used():
        while removed < MOST_PRUNED:
            some = backend_named(name).prune(now, PRUNED_AT_ONCE)
            removed += some
            if some < PRUNED_AT_ONCE:
                break
    return removed
