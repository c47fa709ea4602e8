"""What is searched: the two kinds of records, and the text of each that a query is compared with."""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db.models import Case, ExpressionWrapper, F, Q, QuerySet, TextField, Value, When

from history_app.models import Fact, Message, ToolCall

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TICK = timedelta(microseconds=1)
_ESCAPED_STRING = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)


@dataclass(frozen=True)
class Source:
    """One searched table.

    `run` is how many neighbouring ids share a posting, `fetch` how many records are read at once to be indexed, and
    `tail` how many behind the watermark a search reads at once. `escaped` says that the columns are JSON.
    """

    record_type: str
    model: type[Fact]
    columns: tuple[str, ...]
    text: Callable[..., str]
    run: int
    fetch: int
    tail: int
    escaped: bool

    @property
    def table(self) -> str:
        """The name of its table."""
        return str(self.model._meta.db_table)

    def raw(self, rows: QuerySet[Any], texts_of: Q | None = None) -> QuerySet[Any]:
        """Return rows as tuples of id, time and the columns as they are stored.

        With `texts_of`, rows that do not meet it have nothing in their columns.
        """
        stored: list[Any] = [ExpressionWrapper(F(column), output_field=TextField()) for column in self.columns]
        if texts_of is not None:
            stored = [Case(When(texts_of, then=column), default=Value(None)) for column in stored]
        return rows.values_list("pk", "timestamp", *stored)


def message_text(content: str | None) -> str:
    """Return the searched text of a message: its content."""
    return content or ""


def tool_call_text(tool_input: str | None, tool_output: str | None) -> str:
    """Return the searched text of a tool call: input and output, a line break between them (document 000)."""
    return f"{readable(tool_input)}\n{readable(tool_output)}"


def readable(stored: str | None) -> str:
    """Return a stored JSON text as a person reads it: compact, the characters of its texts not escaped.

    A value that is one text has no quotes around it; an absent one is empty.
    """
    if stored is None:
        return ""
    if "\\" in stored:
        stored = _ESCAPED_STRING.sub(_unescaped, stored)
    return stored[1:-1] if stored.startswith('"') else stored


def _unescaped(string: re.Match[str]) -> str:
    text = string.group()
    return f'"{json.loads(text, strict=False)}"' if "\\" in text else text


SOURCES = {
    "message": Source("message", Message, ("content",), message_text, run=4, fetch=1024, tail=2048, escaped=False),
    "tool_call": Source(
        "tool_call", ToolCall, ("tool_input", "tool_output"), tool_call_text, run=1, fetch=16, tail=256, escaped=True
    ),
}
RECORD_TYPE_OF: dict[type[Fact], str] = {source.model: source.record_type for source in SOURCES.values()}


def to_ticks(moment: datetime) -> int:
    """Return a moment as microseconds since 1970."""
    return (moment - _EPOCH) // _TICK


def from_ticks(ticks: int) -> datetime:
    """Return the moment of microseconds since 1970."""
    return _EPOCH + ticks * _TICK
