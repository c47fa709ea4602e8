"""Kinds of records that are a row each: messages, tool calls, errors and metrics."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

from django.db import IntegrityError, models, transaction

from history_app.models import ErrorRecord, Message, Metric, ToolCall
from history_app.services import drafts
from history_app.services.drafts import Draft
from history_app.services.ingest import statements
from history_app.services.ingest.batch import Batch, Entry
from history_app.services.ingest.columns import Row, rows_read
from history_app.services.ingest.same import same_draft

COMMON_COLUMNS = ("project_id", "session_id", "record_id", "timestamp", "metadata")
RECORD_KEY = (("session_id", statements.INTEGER), ("record_id", statements.TEXT))


@dataclass(frozen=True)
class Kind:
    """One kind of record: its table, and the draft's attributes that fill columns besides the common ones."""

    model: type[models.Model]
    attributes: tuple[str, ...]
    numbered: bool = False

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that come from the record; a numbered kind has `sequence` besides."""
        own = tuple("task_id" if name == "task" else name for name in self.attributes)
        return (*COMMON_COLUMNS, *own)


KINDS: dict[type[Draft], Kind] = {
    drafts.MessageDraft: Kind(Message, ("role", "content", "structured_content"), numbered=True),
    drafts.ToolCallDraft: Kind(
        ToolCall,
        ("task", "tool_name", "tool_input", "tool_output", "status", "error_message", "execution_time"),
    ),
    drafts.ErrorDraft: Kind(ErrorRecord, ("error_type", "error_id", "error_message", "stack_trace", "severity")),
    drafts.MetricDraft: Kind(Metric, ("metric_type", "metric_value")),
}


def facts_write(kind: Kind, entries: Sequence[Entry], batch: Batch) -> None:
    """Store the records of one kind and settle each; their sessions are locked.

    All are taken for new at first. Only when the unique index objects, the stored ones are looked up: under the lock
    nobody can add one in between.
    """
    first = first_ones(entries, batch)
    try:
        with transaction.atomic():
            _insert(kind, first, batch)
    except IntegrityError:
        for entry in first:
            entry.session.begin_numbers()
        first = _unknown_ones(kind, first, batch)
        _insert(kind, first, batch)
    batch.stored(first)


def first_ones(entries: Sequence[Entry], batch: Batch) -> list[Entry]:
    """Return the entries without those whose id came earlier in the batch, which are settled."""
    seen: dict[tuple[int, str], Entry] = {}
    first = []
    for entry in entries:
        earlier = seen.setdefault((entry.session.pk, entry.draft.record_id), entry)
        if earlier is entry:
            first.append(entry)
        else:
            batch.repeated(entry, same_draft(entry.draft, earlier.draft))
    return first


def _unknown_ones(kind: Kind, entries: Sequence[Entry], batch: Batch) -> list[Entry]:
    """Return the entries without those whose id is stored, which are settled."""
    keys = [entry.key for entry in entries]
    rows = statements.select_matching(kind.model, kind.columns, RECORD_KEY, keys)
    stored = {(row["session_id"], row["record_id"]): row for row in rows_read(kind.model, kind.columns, rows)}
    unknown = []
    for entry in entries:
        found = stored.get(entry.key)
        if found is None:
            unknown.append(entry)
        else:
            batch.repeated(entry, same_draft(entry.draft, _draft_of(kind, type(entry.draft), found)))
    return unknown


def _draft_of(kind: Kind, type_: type[Draft], row: Mapping[str, Any]) -> Draft:
    """Return the draft that a stored row was made from."""
    own = dict(zip(kind.attributes, (row[column] for column in kind.columns[len(COMMON_COLUMNS) :]), strict=True))
    common = {name: row[name] for name in ("record_id", "timestamp", "metadata")}
    return type_(session_id="", **common, **own)


def row_of(kind: Kind, entry: Entry, project_id: int) -> Row:
    """Return the record's row, in the order of the kind's columns."""
    draft = entry.draft
    own = attrgetter(*kind.attributes)(draft)
    return (project_id, entry.session.pk, draft.record_id, draft.timestamp, draft.metadata, *own)


def _insert(kind: Kind, entries: Sequence[Entry], batch: Batch) -> None:
    rows = [row_of(kind, entry, batch.project_id) for entry in entries]
    if not kind.numbered:
        statements.insert_rows(kind.model, kind.columns, rows)
        return
    for place, entry in enumerate(entries):
        rows[place] = (*rows[place], entry.session.number(entry.draft.sequence))  # type: ignore[attr-defined]
    statements.insert_rows(kind.model, (*kind.columns, "sequence"), rows)
