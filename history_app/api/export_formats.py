"""The forms of an export: each a generator of pieces that holds one page of records at a time."""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from config.shared.api.renderers import dump_answer
from config.shared.api.serializers import MASK
from config.shared.callers import Caller
from history_app.api.views.timeline import shown
from history_app.selectors.record_forms import COMPUTED, Record
from history_app.selectors.record_pages import EXPORTED, TASKS, check_there, record_pages
from history_app.selectors.record_types import RECORD_TYPES
from history_app.selectors.session_forms import SESSION_CONTENTS, STATE_CONTENTS, session_form, state_form
from sessions_app.models import Session

Pieces = Iterator[bytes]
# The columns of CSV: those of every type, in one order.
COLUMNS = (
    *("record_type", "session_id", "record_id", "timestamp", "sequence", "role", "content"),
    *("task", "tool_name", "tool_input", "tool_output", "status", "error_message", "execution_time"),
    *("request_id", "model", "provider", "messages", "parameters", "response", "token_usage", "response_time"),
    *("user_id", "prompt_tokens", "completion_tokens", "total_tokens", "cache_read_tokens", "cache_write_tokens"),
    *("source", "reported_cost", "computed_cost", "total_cost", "error_id", "error_type", "stack_trace", "severity"),
    *("metric_type", "metric_value", "user_input", "results", "updated_at", "subtasks", "metadata"),
)
# A cell that begins like this is a formula to spreadsheets (ASVS 1.2.10); they take the wide forms for the same.
_FORMULA = re.compile("[=+\\-@\t\r\n＝＋－＠]")
_UNSAFE = re.compile(r"[^\w.-]+")
NAME_LENGTH = 100


@dataclass(frozen=True, slots=True)
class Form:
    """One form of an export: its content type, the ending of its file, and what writes it."""

    content_type: str
    ending: str
    pieces: Callable[[Session, Caller, datetime], Pieces]


def json_pieces(session: Session, caller: Caller, now: datetime) -> Pieces:
    """Yield one JSON document: the session, its current state, its tasks and its records."""
    head = {
        "exported_at": now,
        "session": _hidden(session_form(session), SESSION_CONTENTS, caller),
        "state": _hidden(state_form(session), STATE_CONTENTS, caller),
    }
    yield dump_answer(head)[:-1]
    count = 0
    for name, kinds in (("tasks", (TASKS,)), ("records", RECORD_TYPES)):
        yield f',"{name}":['.encode()
        separator = b""
        for page in _pages(session, kinds, caller):
            yield separator + _joined(map(dump_answer, page), b",")
            separator, count = b",", count + len(page)
        yield b"]"
    yield f',"total_records":{count}}}'.encode()


def jsonl_pieces(session: Session, caller: Caller, now: datetime) -> Pieces:
    """Yield a record a line, as POST /api/records/ takes them: without what is worked out here."""
    for page in _pages(session, EXPORTED, caller):
        yield _joined((dump_answer(_recorded(record)) for record in page), b"\n") + b"\n"


def csv_pieces(session: Session, caller: Caller, now: datetime) -> Pieces:
    """Yield a header and a record a row (RFC 4180), with a column for every field of every type."""
    yield _row(COLUMNS)
    for page in _pages(session, EXPORTED, caller):
        yield _joined((_row([record.get(name) for name in COLUMNS]) for record in page), b"")


FORMS = {
    "json": Form("application/json", "json", json_pieces),
    "jsonl": Form("application/x-ndjson", "jsonl", jsonl_pieces),
    "csv": Form("text/csv; charset=utf-8", "csv", csv_pieces),
}


def file_name(session_id: str, ending: str) -> str:
    """Return a name for the file that every system takes, whatever the session's id holds."""
    return f"session-{_UNSAFE.sub('_', session_id)[:NAME_LENGTH].strip('._')}.{ending}"


def _pages(session: Session, kinds: Any, caller: Caller) -> Iterator[list[Record]]:
    for kind in kinds:
        for page in record_pages(session, kind):
            yield shown(page, caller)
    # Breaking off is seen by the client; an ending too early would not be.
    check_there(session)


def _joined(parts: Iterable[bytes], separator: bytes) -> bytes:
    """Return the parts as one. Each is let go at once: what orjson returns holds on to a buffer many times its size."""
    whole = bytearray()
    for part in parts:
        whole += part
        whole += separator
    return bytes(whole[: len(whole) - len(separator)])


def _hidden(document: Record | None, names: tuple[str, ...], caller: Caller) -> Record | None:
    if document is None or caller.can_see_contents:
        return document
    return {name: MASK if name in names else value for name, value in document.items()}


def _recorded(record: Record) -> Record:
    return {name: value for name, value in record.items() if name not in COMPUTED}


def _row(values: Any) -> bytes:
    return (",".join(map(_cell, values)) + "\r\n").encode()


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, int | float):
        return str(value)
    text = value if isinstance(value, str) else dump_answer(value).decode()
    if isinstance(value, datetime):
        return text.strip('"')
    # Every text is quoted: a spreadsheet that parts cells at semicolons finds none to begin with a sign.
    guarded = f"'{text}" if _FORMULA.match(text) else text
    return '"' + guarded.replace('"', '""') + '"'
