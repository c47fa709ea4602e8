"""The short way of one record on PostgreSQL: a single statement numbers it, stores it and moves its session on.

Round trips are the cost of a single append: this one takes one where the way of batches takes eight.
"""

# Every name that is put into a statement comes from a model or from this package; values are parameters.
# ruff: noqa: S608

from datetime import datetime
from functools import lru_cache
from typing import Any

from django.db import IntegrityError, OperationalError, connection, models, transaction

from config.shared.fields import JSONTextField
from config.shared.retries import curable
from history_app.services.drafts import Draft, ToolCallDraft
from history_app.services.ingest.batch import Entry
from history_app.services.ingest.facts import KINDS, Kind, row_of
from history_app.services.ingest.sessions import TakenSession
from sessions_app.models import Session, SessionActivity

_TEXTS = (models.CharField, models.TextField, JSONTextField)


def single_write(*, project_id: int, draft: Draft, now: datetime) -> Any | None:
    """Store one record of an existing session and return its row.

    Returns None, with nothing stored, where this is not the way: on another database, for a kind that is joined with
    others, for a new session, and for a record whose id is known. The way of batches finds out what is the matter.
    """
    kind = KINDS.get(type(draft))
    if connection.vendor != "postgresql" or kind is None:
        return None
    if isinstance(draft, ToolCallDraft) and draft.task is not None:
        return None
    project, _session, *values = row_of(kind, Entry(0, draft, TakenSession(0, "")), project_id)
    parameters = [project_id, draft.session_id, min(draft.timestamp, now), project, *values]
    try:
        found = _execute(_statement(kind), parameters)
    except IntegrityError:
        return None
    except OperationalError as error:
        if connection.in_atomic_block or not curable(error):
            raise
        return None
    return _row(kind, draft, project_id, found, values) if found else None


def _execute(statement: str, parameters: list[Any]) -> tuple[int, int, int] | None:
    if not connection.in_atomic_block:
        # Alone it is a transaction of its own.
        with connection.cursor() as cursor:
            cursor.execute(statement, parameters)
            return cursor.fetchone()  # type: ignore[no-any-return]
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return cursor.fetchone()  # type: ignore[no-any-return]


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


def _row(kind: Kind, draft: Draft, project_id: int, found: tuple[int, int, int], values: list[Any]) -> Any:
    """Return the stored row as if it had been read, with as much of its session as is known."""
    pk, session, sequence = found
    columns: dict[str | None, Any] = {"id": pk, "project_id": project_id, "session_id": session}
    columns |= dict(zip(kind.columns[2:], values, strict=True))
    if kind.numbered:
        columns["sequence"] = sequence
    fields = [field for field in kind.model._meta.concrete_fields if field.column in columns]
    read = [
        field.from_db_value(columns[field.column], None, connection)
        if isinstance(field, JSONTextField)
        else columns[field.column]
        for field in fields
    ]
    row: Any = kind.model.from_db(connection.alias, [field.attname for field in fields], read)
    known = ("id", "project_id", "session_id")
    row.session = Session.from_db(connection.alias, known, (session, project_id, draft.session_id))
    return row
