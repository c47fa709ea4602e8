"""One key of the store with what it holds, which keys are the store's own, and how a value is read."""

import json
from typing import Any

from msgspec import Struct

from backups_app.legacy.json_exact import EXPLAINED, BadJSON, parse_json
from backups_app.legacy.types import Finding, Level, Place, Reading

# What the keys of a category hold, in the words of a report.
KINDS = {
    "session": "session",
    "conversation": "message",
    "user_sessions": "user_sessions",
    "token_usage": "token_usage",
    "user_token_stats": "statistics",
    "session_token_stats": "statistics",
    "global_token_stats": "statistics",
    "config": "config",
    "config_backup": "config",
}
# Findings about these quote nothing: a secret may stand in them.
_UNQUOTED = frozenset({"session", "config"})


class Entry(Struct):
    """A key and the bytes of its value, which are JSON where the old system wrote them."""

    key: str
    data: bytes
    place: Place


class BadValue(Exception):
    """A value that is not JSON within the bounds; `code` is short and stable, the text is for people."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code


def category_of(key: str) -> str | None:
    """The category of a key of the store; None for a key that is somebody else's, however much it looks alike."""
    category, colon, rest = key.partition(":")
    return category if colon and rest and category in KINDS else None


def value_of(data: bytes, depth: int) -> tuple[Any, tuple[str, ...]]:
    """The JSON value in `data`, and what had to be repaired in it. Raises `BadValue`."""
    try:
        parsed = parse_json(data.strip(), depth)
    except BadJSON as error:
        raise BadValue(error.code, str(error)) from error
    if parsed.rest is not None or len(parsed.values) != 1:
        raise BadValue("invalid_json", "more than one JSON value")
    return parsed.values[0], parsed.repairs


def quoted(kind: str, data: bytes) -> bytes | None:
    """The value as a finding may show it."""
    return None if kind in _UNQUOTED else data


def report_repairs(repairs: tuple[str, ...], place: Place, kind: str, reading: Reading) -> None:
    """Tell what had to be repaired in a value."""
    for code in repairs:
        reading.report(Finding(Level.REPAIRED, code, place, EXPLAINED[code], kind))


def other_type(entry_type: str, value: Any) -> bytes:
    """A value of Redis's other types as the JSON that the old system would have kept in a text."""
    if isinstance(value, dict) and entry_type == "hash":
        value = {_text(key): _json_or_text(item) for key, item in value.items()}
    elif isinstance(value, dict):
        value = {_text(key): item for key, item in value.items()}
    else:
        value = [_json_or_text(item) for item in value]
    return json.dumps(value).encode()


def _text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _json_or_text(value: Any) -> Any:
    """What the old system wrote into a field of a hash: JSON for structures, the text itself for all else."""
    text = _text(value)
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text
