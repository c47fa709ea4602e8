"""Makes sessions and messages of the rows of a dump, and says what is odd about their texts."""

import hashlib
import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from backups_app.legacy.fields import AS_FOUND, NAME_LENGTH, Taking
from backups_app.legacy.history_store.records import message
from backups_app.legacy.history_store.sessions import TITLE_LENGTH
from backups_app.legacy.history_store.tables import ORPHANS
from backups_app.legacy.json_exact import TEXT_REPLACED, BadJSON, parse_json
from backups_app.legacy.mysql_chat.statements import SCHEMA, Row
from backups_app.legacy.times import EPOCH, TIME_AS_FOUND, stated_time_read, time_read
from backups_app.legacy.types import Finding, LegacyRecord, LegacySession, Level, Place, Reading
from config.shared.text import REPLACEMENT

STATUS = "inactive"
FLAGS = "flags"
ROLE_ALIASES = {"ai": "assistant", "bot": "assistant", "human": "user", "function": "tool"}
# A TEXT column of MySQL holds 65,535 bytes; what is longer was cut there, at most three bytes earlier in UTF-8.
CUT_FROM, CUT_TO = 65_532, 65_535
LOST_FROM = 3
_SESSION_KEYS = frozenset(SCHEMA["chat_sessions"])
_MESSAGE_KEYS = frozenset({*SCHEMA["chat_messages"], "message_type"})


class BadRow(Exception):
    """A row that cannot be taken; the text says why."""


def session_of(row: Row, path: str, reading: Reading) -> LegacySession:
    """The session of a row. Raises `BadRow` when it has no usable id."""
    taking = _taking(row, path, "session")
    session_id = taking.raw.get("session_id")
    if type(session_id) is not str or not 0 < len(session_id) <= NAME_LENGTH:
        raise BadRow("session_id is missing or longer than 255 characters")
    created, updated = (_time(taking, row, key, reading) for key in ("created_at", "updated_at"))
    ragflow = taking.raw.get("ragflow_session_id")
    session = LegacySession(
        session_id=session_id,
        place=taking.place,
        status=STATUS,
        created_at=created or updated,
        updated_at=updated or created,
        user_id=taking.name("user_id"),
        title=taking.name("title", length=TITLE_LENGTH),
        documents={"external_ids": {"ragflow_session_id": ragflow}} if ragflow else {},
        size=len(row.values.get("context") or b"") + NAME_LENGTH,
    )
    context = _context(taking, reading)
    if context:
        session.documents["context"] = context
    taking.keep_unknown(_SESSION_KEYS)
    session.metadata = taking.metadata
    session.repaired = bool(taking.repairs)
    taking.report(reading)
    return session


def message_of(row: Row, path: str, reading: Reading) -> tuple[LegacyRecord, datetime | None]:
    """The message of a row, and the time that it names (its `timestamp` is for the caller to set)."""
    taking = _taking(row, path, "message")
    session_id = taking.raw.get("session_id")
    if type(session_id) is not str or not 0 < len(session_id) <= NAME_LENGTH:
        taking.repairs.append(("session_id", f"session_id: {session_id!r:.60} is none; put under {ORPHANS!r}"))
        session_id = ORPHANS
    _alias_role(taking)
    fields = message(taking)
    taking.keep_unknown(_MESSAGE_KEYS)
    moment = _time(taking, row, "timestamp", reading)
    content = taking.raw.get("content")
    for flag, detail in _oddities(content, row.values.get("content")):
        taking.metadata.setdefault(FLAGS, []).append(flag)
        reading.report(Finding(Level.NOTE, flag, taking.place, f"content: {detail}; kept as found", "message"))
    taking.report(reading)
    record = LegacyRecord(
        kind="message",
        session_id=session_id,
        record_id=_record_id(taking, row),
        timestamp=moment or EPOCH,
        fields={**fields, "metadata": taking.metadata},
        place=taking.place,
        repaired=bool(taking.repairs),
        size=sum(len(value or b"") for value in row.values.values()),
    )
    return record, moment


def _taking(row: Row, path: str, kind: str) -> Taking:
    """The row with its values as texts. What is no text, or holds NUL, is kept in hexadecimal beside what stands in."""
    place = Place(path, row.line, row.table)
    taking = Taking({}, {}, kind, place)
    for key, value in row.values.items():
        taking.raw[key] = None if value is None else value.decode("utf-8", "replace").replace("\x00", REPLACEMENT)
        if value is not None and (b"\x00" in value or taking.raw[key].encode() != value):
            taking.metadata.setdefault(AS_FOUND, {})[f"{key}_hex"] = value.hex()
            taking.repairs.append((TEXT_REPLACED, f"{key}: NUL, or what is not UTF-8, was replaced by U+FFFD"))
    key = str(taking.raw.get("id" if kind == "message" else "session_id"))
    taking.place = place.at_row(row.table, key[:NAME_LENGTH])
    return taking


def _time(taking: Taking, row: Row, key: str, reading: Reading) -> datetime | None:
    value = taking.raw.get(key)
    if row.zone is None or key in row.stated:
        found = time_read(value, reading.zone)
    else:
        found = stated_time_read(value, row.zone)
    if found is None:
        name = TIME_AS_FOUND if key == "timestamp" else f"{key}_as_found"
        taking.metadata[name] = value
        # A session may well never have been changed; a message without a time is a fault.
        if value is not None or key != "updated_at":
            taking.repairs.append((key, f"{key}: {value!r:.60} is no time"))
    return found


def _context(taking: Taking, reading: Reading) -> dict[str, Any]:
    """The JSON object that the context is; anything else is kept as found."""
    text = taking.raw.get("context")
    if text is None:
        return {}
    try:
        values = parse_json(text.encode(), reading.limits.depth).values
        value = values[0] if len(values) == 1 else text
    except BadJSON:
        value = text
    if type(value) is dict:
        return value
    if value is not None:
        taking.metadata.setdefault(AS_FOUND, {})["context"] = value
        taking.repairs.append(("context", "context: no JSON object; kept as found"))
    return {}


def _alias_role(taking: Taking) -> None:
    role = taking.raw.get("role")
    known = ROLE_ALIASES.get(role.strip().lower()) if type(role) is str else None
    if known is not None:
        taking.metadata["original_role"] = role
        taking.repairs.append(("role", f"role: {role!r:.60} is taken as {known}"))
        taking.raw["role"] = known


def _record_id(taking: Taking, row: Row) -> str:
    value = taking.raw.get("id")
    if type(value) is str and 0 < len(value) <= NAME_LENGTH and REPLACEMENT not in value:
        return value
    told = {key: None if item is None else item.hex() for key, item in row.values.items()}
    return f"made:{hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:32]}"


def _oddities(text: Any, data: bytes | None) -> Iterator[tuple[str, str]]:
    """What looks as if the text was damaged before it was dumped."""
    if type(text) is not str or data is None:
        return
    if is_mojibake(text):
        yield "mojibake", "UTF-8 that was once read as Latin-1"
    if len(text) >= LOST_FROM and not text.strip("? "):
        yield "characters_lost", "nothing but question marks"
    if CUT_FROM <= len(data) <= CUT_TO:
        yield "maybe_cut", "as long as a TEXT column can be; it may have been cut"


def is_mojibake(text: str) -> bool:
    """Whether a text is UTF-8 that was read as Latin-1 or Windows-1252: by chance that happens to almost no text."""
    if text.isascii():
        return False
    for encoding in ("latin-1", "cp1252"):
        try:
            return not text.encode(encoding).decode("utf-8").isascii()
        except UnicodeError:
            continue
    return False
