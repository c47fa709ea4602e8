"""Tells what is a session, and takes off what was put around it."""

from collections.abc import Callable, Iterator
from typing import Any

from msgspec import Struct

from backups_app.legacy.types import Finding, Level, Place

SESSION_TYPE = "session"
BATCH = "batch"
_PARTS = frozenset({"workflow_state", "thread_configs", "settings", "state", "workflow_config"})
_WRAPPER = frozenset({"id", "type", "data"})
# By these keys of an object, and by `messages` being a list, it is told whether it is a session.
OWN_KEYS = _WRAPPER | _PARTS | {"metadata", "messages"}
# All that the free form of the older interface says.
_FREE = frozenset({"session_id", "user_id", "created", "messages"})
Report = Callable[[Finding], None]


class Payload(Struct):
    """One session as it lies in a file. `saved_as` is the id it was saved under, `wrapper` what is around it.

    `number` counts the members of a batch from 0, of which two may have the same key.
    """

    document: dict[str, Any]
    place: Place
    saved_as: Any = None
    wrapper: dict[str, Any] | None = None
    repairs: tuple[str, ...] = ()
    size: int = 0
    number: int = 0


def is_session(value: Any) -> bool:
    """Whether this is one session (or another thing in the wrapper of one)."""
    if type(value) is not dict:
        return False
    return value.keys() >= _WRAPPER or _is_document(value)


def is_certain(value: Any) -> bool:
    """Whether this can be nothing else than a payload of document 004: by it a store is recognised."""
    if type(value) is not dict:
        return False
    if value.keys() >= _WRAPPER:
        return bool(value["type"] == SESSION_TYPE and type(value["data"]) is dict)
    if type(value.get("metadata")) is dict:
        is_older = type(value["metadata"].get("session_id")) is str and "state" in value
        return is_older or not value.keys().isdisjoint({"workflow_state", "thread_configs"})
    is_free = type(value.get("session_id")) is str and type(value.get("messages")) is list
    return is_free and value.keys() <= _FREE


def _is_document(value: dict[str, Any]) -> bool:
    if type(value.get("messages")) is list:
        return True
    return "metadata" in value and not value.keys().isdisjoint(_PARTS)


def payloads_in(value: Any, place: Place, saved_as: Any, report: Report) -> Iterator[Payload]:
    """The session that a file or a member of a batch is, out of its wrapper; what is none is told to `report`.

    `saved_as` is the key of the member, if it has one.
    """
    if not is_session(value):
        detail = "no session: neither a payload nor the wrapper of one"
        # A whole file of another kind is not the store's; a member of a batch is, and is missed.
        if place.table is None:
            report(Finding(Level.SKIPPED, "not_a_session", place, detail, "file"))
        else:
            report(Finding(Level.REJECTED, "not_a_session", place, detail, "session"))
    elif not value.keys() >= _WRAPPER:
        yield Payload(value, place, saved_as)
    elif value["type"] != SESSION_TYPE:
        detail = f"its type is {value['type']!r:.100}, not session"
        report(Finding(Level.SKIPPED, "other_type", place, detail, "session"))
    elif type(value["data"]) is not dict:
        report(Finding(Level.REJECTED, "bad_data", place, "the wrapper holds no object", "session"))
    else:
        around = {key: item for key, item in value.items() if key not in _WRAPPER}
        kept = value["id"] if saved_as is None else saved_as
        yield Payload(value["data"], place, kept, {"id": value["id"], **around})
