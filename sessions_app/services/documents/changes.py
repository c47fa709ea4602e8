"""What may be done to documents, and what comes of it: the rules, which no backend repeats."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from config.shared.errors import InvalidInput, StorageNotFoundError
from config.shared.merging import merge_patch
from config.shared.versions import version_check
from sessions_app.services.documents.keys import safe_key, safe_namespace
from sessions_app.services.documents.stored import Found, Place, StoredDocument
from sessions_app.services.drafts import GREATEST_COUNT

UNSTATED: Any = object()


class Kind(StrEnum):
    """What is done to one document."""

    SAVE = "save"
    UPDATE = "update"
    DELETE = "delete"
    SET_FIELD = "set_field"


@dataclass(frozen=True, slots=True)
class Change:
    """One change of one document.

    SAVE replaces the value, UPDATE merges into it (RFC 7396) and needs it to be there, SET_FIELD sets one `field` of an
    object and makes the object where it is missing. `ttl` is seconds from now; unstated, a saved document never ends
    and any other keeps its end. `expected_version` is as in config.shared.versions.
    """

    kind: Kind
    namespace: str
    key: str
    value: Any = UNSTATED
    field: str = ""
    ttl: int | None = None
    expected_version: int | None = None

    @property
    def place(self) -> Place:
        """Where the document is."""
        return (self.namespace, self.key)

    def checked(self) -> "Change":
        """Return the change with its key in the one form. Raises InvalidInput."""
        if self.ttl is not None and not 0 < self.ttl <= GREATEST_COUNT:
            raise InvalidInput.at("/ttl", f"Seconds from 1 to {GREATEST_COUNT}.")
        return replace(self, namespace=safe_namespace(self.namespace), key=safe_key(self.key))


def outcome(
    changes: Sequence[Change], found: Found, now: datetime
) -> tuple[Found, list[tuple[StoredDocument | None, bool]]]:
    """Return what the places hold after the changes, one after the other, and for each what it left and if it is new.

    A document whose time has run out counts as absent; its version goes on as long as a backend still has it. Raises
    StaleVersion, StorageNotFoundError, InvalidInput.
    """
    after = dict(found)
    results = []
    for change in changes:
        stored = after[change.place]
        alive = stored if stored is not None and stored.is_alive(now) else None
        version_check(current=alive.version if alive else None, expected=change.expected_version)
        if alive is None and change.kind in (Kind.UPDATE, Kind.DELETE):
            raise StorageNotFoundError(f"There is no document {change.key!r}.")
        made = None if change.kind == Kind.DELETE else _made(change, alive, stored.version if stored else 0, now)
        after[change.place] = made
        results.append((made, alive is None))
    return after, results


def _made(change: Change, alive: StoredDocument | None, version: int, now: datetime) -> StoredDocument:
    ends = now + timedelta(seconds=change.ttl) if change.ttl is not None else None
    if change.ttl is None and change.kind != Kind.SAVE and alive is not None:
        ends = alive.expires_at
    return StoredDocument(
        namespace=change.namespace,
        key=change.key,
        value=_value(change, alive),
        expires_at=ends,
        created_at=alive.created_at if alive else now,
        updated_at=now,
        version=version + 1,
    )


def _value(change: Change, alive: StoredDocument | None) -> Any:
    stored = alive.value if alive else None
    if change.kind == Kind.SET_FIELD:
        if stored is not None and not isinstance(stored, dict):
            raise InvalidInput.at("/field", "Only an object has fields.")
        return {**(stored or {}), change.field: change.value}
    if change.kind == Kind.UPDATE:
        return stored if change.value is UNSTATED else merge_patch(stored, change.value)
    return change.value
