"""What the entries of a window show: read by key, with contents cut in the database."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from django.db.models import Model, QuerySet
from django.db.models.functions import Left, Length

from config.shared.admin.shown import MASK, pretty_json
from history_app.admin.conversation.window import Place

# Shown at once, and shown behind "show all"; what is longer is read on the record's own page.
SHOWN_CHARACTERS = 1_200
READ_CHARACTERS = 20_000
SHOWN_LINES = 16


@dataclass(frozen=True, slots=True)
class Text:
    """A content as the page shows it: its beginning, all that was read of it, and how long it really is."""

    read: str
    length: int

    @property
    def beginning(self) -> str:
        """The part that is always shown."""
        lines = self.read.split("\n", SHOWN_LINES)
        return "\n".join(lines[:SHOWN_LINES])[:SHOWN_CHARACTERS]

    @property
    def is_long(self) -> bool:
        """Whether there is more than the beginning."""
        return len(self.beginning) < self.length and self.read != self.beginning

    @property
    def is_cut(self) -> bool:
        """Whether even "show all" is not all."""
        return self.length > READ_CHARACTERS


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of the page: its row, and the contents that were read of it, by name."""

    kind: str
    key: str
    row: Any
    texts: dict[str, Text | None] = field(default_factory=dict)


COLUMNS = {
    "message": ("sequence", "role", "timestamp"),
    "llm_call": ("request_id", "model", "provider", "response_time", "response_record_id", "token_usage", "timestamp"),
    "tool_call": ("tool_name", "status", "execution_time", "task_id", "timestamp"),
    "error": ("error_type", "severity", "timestamp"),
}
CONTENTS = {
    "message": ("content", "structured_content", "metadata"),
    "llm_call": ("messages", "parameters", "response", "response_metadata"),
    "tool_call": ("tool_input", "tool_output", "error_message"),
    "error": ("error_message", "stack_trace"),
}
JSON_CONTENTS = {
    "structured_content",
    "metadata",
    "messages",
    "parameters",
    "response",
    "response_metadata",
    "tool_input",
    "tool_output",
}


def read_entries(places: list[Place], masked: bool) -> list[Entry]:
    """Return the entries of these places in their order, with one query for each kind among them."""
    rows: dict[tuple[str, int], Any] = {}
    for kind in {place.kind for place in places}:
        pks = [place.pk for place in places if place.kind == kind]
        found = _cut(kind.model._default_manager.filter(pk__in=pks), kind.name)
        rows |= {(kind.name, row.pk): row for row in found}
    read: Callable[[Any, str], Text | None] = _masked_text if masked else _text
    return [
        Entry(place.kind.name, str(place.key), row, {name: read(row, name) for name in CONTENTS[place.kind.name]})
        for place in places
        if (row := rows.get((place.kind.name, place.pk))) is not None
    ]


def _cut(rows: QuerySet[Model], kind: str) -> QuerySet[Model]:
    parts = {f"{name}_part": Left(name, READ_CHARACTERS) for name in CONTENTS[kind]}
    lengths = {f"{name}_length": Length(name) for name in CONTENTS[kind]}
    return rows.only("session_id", *COLUMNS[kind]).annotate(**parts, **lengths)


def _text(row: Any, name: str) -> Text | None:
    part, length = getattr(row, f"{name}_part"), getattr(row, f"{name}_length")
    if not part:
        return None
    if name in JSON_CONTENTS and length <= READ_CHARACTERS:
        readable = readable_json(json.loads(part))
        return Text(readable, len(readable))
    return Text(part, length)


def _masked_text(row: Any, name: str) -> Text | None:
    return Text(MASK, len(MASK)) if getattr(row, f"{name}_part") else None


def readable_json(value: Any) -> str:
    """Return a JSON value for people: plain text as it is, anything else indented."""
    return value if isinstance(value, str) else pretty_json(value)
