"""The short way of few records on PostgreSQL: a single statement numbers them, stores them and moves their sessions on.

Round trips are the cost of small writes: this way takes one where the way of batches takes nine.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

from django.db import DEFAULT_DB_ALIAS, IntegrityError, OperationalError, connections, models, transaction

from config.shared.fields import JSONTextField
from config.shared.retries import curable
from history_app.services.drafts import Draft, MessageDraft, ToolCallDraft
from history_app.services.ingest import short_statements
from history_app.services.ingest.batch import Entry
from history_app.services.ingest.facts import KINDS, Kind, row_of
from history_app.services.ingest.sessions import TakenSession
from sessions_app.models import Session

# From here on COPY is as fast, and it takes as much memory as one likes.
MOST_RECORDS = 500


@dataclass(frozen=True, slots=True)
class Single:
    """A record that took the short way: its primary key, its session's, and its number where it has one."""

    project_id: int
    draft: Draft
    pk: int
    session_pk: int
    sequence: int

    def row(self) -> Any:
        """Return the stored row as if it had been read, with as much of its session as is known."""
        kind = KINDS[type(self.draft)]
        session = (self.session_pk, self.project_id, self.draft.session_id)
        entry = Entry(0, self.draft, TakenSession(self.session_pk, ""))
        values = [self.pk, *row_of(kind, entry, self.project_id), self.sequence]
        read = [
            field.from_db_value(values[place], None, None) if isinstance(field, JSONTextField) else values[place]
            for place, field in _places(kind)
        ]
        row: Any = kind.model.from_db(DEFAULT_DB_ALIAS, [field.attname for _, field in _places(kind)], read)
        row.session = Session.from_db(DEFAULT_DB_ALIAS, ("id", "project_id", "session_id"), session)
        return row


def single_write(*, project_id: int, draft: Draft, now: datetime) -> Single | None:
    """Store one record of an existing session and return where it stands.

    Returns None, with nothing stored, where this is not the way: on another database, for a kind that is joined with
    others, for a message that asks for a number, for a new session, and for a record whose id is known. The way of
    batches finds out what is the matter.
    """
    kind = _kind_of([draft])
    if kind is None:
        return None
    project, _session, *values = row_of(kind, _entry(draft), project_id)
    parameters = [project_id, draft.session_id, min(draft.timestamp, now), project, *values]
    found = _executed(short_statements.of_one(kind), parameters)
    return Single(project_id, draft, *found[0]) if found else None


def few_write(*, project_id: int, drafts: Sequence[Draft], now: datetime) -> bool:
    """Store a few records of one kind and of existing sessions, and return whether they are stored.

    Returns False, with nothing stored, where this is not the way; see `single_write`.
    """
    if len(drafts) == 1:
        return single_write(project_id=project_id, draft=drafts[0], now=now) is not None
    kind = _kind_of(drafts)
    if kind is None or len({(draft.session_id, draft.record_id) for draft in drafts}) < len(drafts):
        return False
    rows = [row_of(kind, _entry(draft), project_id)[2:] for draft in drafts]
    names = [draft.session_id for draft in drafts]
    columns = short_statements.as_texts([names, *zip(*rows, strict=True)])
    if columns is None:
        return False
    parameters = [*columns, now, project_id, len(set(names)), project_id]
    return bool(_executed(short_statements.of_few(kind), parameters))


def _kind_of(drafts: Sequence[Draft]) -> Kind | None:
    """Return the one kind of the drafts, where this database and this kind have a short way."""
    types = {type(draft) for draft in drafts}
    kind = KINDS.get(types.pop()) if len(types) == 1 and len(drafts) <= MOST_RECORDS else None
    if kind is None or connections[DEFAULT_DB_ALIAS].vendor != "postgresql":
        return None
    return None if any(map(_asks_for_more, drafts)) else kind


def _asks_for_more(draft: Draft) -> bool:
    """Return whether a task has to be looked up, or a message wants a number of its own."""
    if isinstance(draft, MessageDraft):
        return draft.sequence is not None
    return isinstance(draft, ToolCallDraft) and draft.task is not None


def _entry(draft: Draft) -> Entry:
    return Entry(0, draft, TakenSession(0, ""))


def _executed(statement: str, parameters: list[Any]) -> list[tuple[Any, ...]] | None:
    """Execute the statement as a transaction of its own, or in one that is there under a savepoint.

    Returns its rows, or None where the constraints or other writers object.
    """
    database: Any = connections[DEFAULT_DB_ALIAS]
    try:
        if not database.in_atomic_block:
            return short_statements.execute(database, statement, parameters)
        with transaction.atomic():
            return short_statements.execute(database, statement, parameters)
    except IntegrityError:
        return None
    except OperationalError as error:
        if database.in_atomic_block or not curable(error):
            raise
        return None


@lru_cache(maxsize=8)
def _places(kind: Kind) -> "list[tuple[int, models.Field[Any, Any]]]":
    """Return the fields of a row in the model's order, each with its place among the values of `Single.row`."""
    columns = ("id", *kind.columns, "sequence")
    return [
        (columns.index(field.column), field) for field in kind.model._meta.concrete_fields if field.column in columns
    ]
