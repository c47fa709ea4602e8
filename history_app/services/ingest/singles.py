"""The short way of one record on PostgreSQL: a single statement numbers it, stores it and moves its session on.

Round trips are the cost of a single append: this one takes one where the way of batches takes eight.
"""

# Every name that is put into a statement comes from a model or from this package; values are parameters.
# ruff: noqa: S608

from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

from django.db import DEFAULT_DB_ALIAS, IntegrityError, OperationalError, connection, connections, models, transaction

from config.shared.fields import JSONTextField
from config.shared.retries import curable
from history_app.services.drafts import Draft, MessageDraft, ToolCallDraft
from history_app.services.ingest.batch import Entry
from history_app.services.ingest.facts import KINDS, Kind, row_of
from history_app.services.ingest.sessions import TakenSession
from sessions_app.models import Session, SessionActivity

_TEXTS = (models.CharField, models.TextField, JSONTextField)


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
    kind = KINDS.get(type(draft))
    if kind is None or (isinstance(draft, ToolCallDraft) and draft.task is not None):
        return None
    if isinstance(draft, MessageDraft) and draft.sequence is not None:
        return None
    database: Any = connections[DEFAULT_DB_ALIAS]
    if database.vendor != "postgresql":
        return None
    project, _session, *values = row_of(kind, Entry(0, draft, TakenSession(0, "")), project_id)
    parameters = [project_id, draft.session_id, min(draft.timestamp, now), project, *values]
    try:
        found = _execute(database, _statement(kind), parameters)
    except IntegrityError:
        return None
    except OperationalError as error:
        if database.in_atomic_block or not curable(error):
            raise
        return None
    return Single(project_id, draft, *found) if found else None


def _execute(database: Any, statement: str, parameters: list[Any]) -> tuple[int, int, int] | None:
    """Execute the statement as a transaction of its own, or in one that is there under a savepoint."""
    if database.in_atomic_block:
        with transaction.atomic():
            return _prepared(database, statement, parameters)
    return _prepared(database, statement, parameters)


def _prepared(database: Any, statement: str, parameters: list[Any]) -> tuple[int, int, int] | None:
    """Execute the statement with the plan that the connection keeps: planning it takes as long as the rest.

    Django's own cursors write parameters into the statement, and so have it planned each time.
    """
    import psycopg

    database.ensure_connection()
    with database.wrap_database_errors, psycopg.Cursor(database.connection) as cursor:
        cursor.execute(statement, parameters, prepare=True)
        return cursor.fetchone()


@lru_cache(maxsize=8)
def _statement(kind: Kind) -> str:
    own = {field.column: field for field in kind.model._meta.concrete_fields}
    project, session, *rest = kind.columns
    marks = ", ".join(f"%s{_cast(own[column])}" for column in rest)
    numbers = ", sequence" if kind.numbered else ""
    added = int(kind.numbered)
    return f"""
        WITH found AS (
            SELECT id FROM {Session._meta.db_table} WHERE project_id = %s AND session_id = %s
        ), moved AS (
            UPDATE {SessionActivity._meta.db_table} AS t
            SET last_sequence = t.last_sequence + {added}, message_count = t.message_count + {added},
                last_activity_at = GREATEST(t.last_activity_at, %s)
            FROM found WHERE t.session_id = found.id
            RETURNING t.session_id, t.last_sequence
        )
        INSERT INTO {kind.model._meta.db_table} ({project}, {session}, {", ".join(rest)}{numbers})
        SELECT %s, moved.session_id, {marks}{", moved.last_sequence" if numbers else ""} FROM moved
        RETURNING id, session_id, {"sequence" if numbers else "0"}
        """


def _cast(field: "models.Field[Any, Any]") -> str:
    """Return the type that a parameter must state; texts go by themselves, and too long ones are refused."""
    return "" if isinstance(field, _TEXTS) else f"::{field.db_type(connection)}"


@lru_cache(maxsize=8)
def _places(kind: Kind) -> "list[tuple[int, models.Field[Any, Any]]]":
    """Return the fields of a row in the model's order, each with its place among the values of `Single.row`."""
    columns = ("id", *kind.columns, "sequence")
    return [
        (columns.index(field.column), field) for field in kind.model._meta.concrete_fields if field.column in columns
    ]
