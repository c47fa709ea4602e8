"""The statements of the short way, in PostgreSQL's words: see `singles`."""

# Every name that is put into a statement comes from a model or from this package; values are parameters.
# ruff: noqa: S608

import select
from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any

from django.db import connection, models

from config.shared.fields import JSONTextField
from history_app.services.ingest.facts import Kind
from sessions_app.models import Session, SessionActivity

_TEXTS = (models.CharField, models.TextField, JSONTextField)
# What stands between the values of a column, and for one that is missing: texts with these in them go another way.
_BETWEEN, _MISSING = "\x1f", "\x1e"


def execute(database: Any, statement: str, parameters: list[Any]) -> list[tuple[Any, ...]]:
    """Execute the statement with the plan that the connection keeps: planning it takes as long as the rest.

    Django's own cursors write parameters into the statement, and so have it planned each time.
    """
    import psycopg

    database.ensure_connection()
    if _has_news(database.connection):
        # Nothing was asked, so it is the end of the connection, as a rule. Django's own check would ask every time.
        database.close_if_health_check_failed()
        database.ensure_connection()
    with database.wrap_database_errors, psycopg.Cursor(database.connection) as cursor:
        cursor.execute(statement, parameters, prepare=True)
        return cursor.fetchall()


def _has_news(raw: Any) -> bool:
    """Return whether the server has said something on a connection that waits for nothing."""
    looking = select.poll()
    looking.register(raw.pgconn.socket, select.POLLIN)
    return bool(looking.poll(0))


@lru_cache(maxsize=8)
def of_one(kind: Kind) -> str:
    """Return the statement that stores one record of the kind; it answers (id, session's id, number or 0)."""
    project, session, *rest = kind.columns
    types = _types(kind)
    marks = ", ".join(f"%s{types[column]}" for column in rest)
    numbers = ", sequence" if kind.numbered else ""
    added = int(kind.numbered)
    return f"""
        WITH found AS (
            SELECT id FROM {Session._meta.db_table} WHERE project_id = %s AND session_id = %s
        ), moved AS (
            UPDATE {SessionActivity._meta.db_table} AS t
            SET last_sequence = t.last_sequence + {added}, message_count = t.message_count + {added},
                last_activity_at = GREATEST(t.last_activity_at, %s), revision = t.revision + 1
            FROM found WHERE t.session_id = found.id
            RETURNING t.session_id, t.last_sequence
        )
        INSERT INTO {kind.model._meta.db_table} ({project}, {session}, {", ".join(rest)}{numbers})
        SELECT %s, moved.session_id, {marks}{", moved.last_sequence" if numbers else ""} FROM moved
        RETURNING id, session_id, {"sequence" if numbers else "0"}
        """


@lru_cache(maxsize=8)
def of_few(kind: Kind) -> str:
    """Return the statement that stores a few records of the kind, all or none; it answers a row for each.

    Its parameters are the columns of `as_texts` (the names of the sessions come first), the present moment, the
    project, the number of different sessions, and the project again. Sessions are locked in the order of their keys, as
    everywhere; where one of them is not there, nothing is stored.
    """
    project, session, *rest = kind.columns
    types = _types(kind)
    arrays = ", ".join(f"string_to_array(%s, '{_BETWEEN}', '{_MISSING}'){_array(types[column])}" for column in rest)
    numbers = ", sequence" if kind.numbered else ""
    number = ", m.before + row_number() OVER (PARTITION BY v.session_name ORDER BY v.place)" if kind.numbered else ""
    added = "f.added" if kind.numbered else "0"
    return f"""
        WITH input AS MATERIALIZED (
            SELECT * FROM unnest(string_to_array(%s, '{_BETWEEN}'), {arrays})
                WITH ORDINALITY AS v(session_name, {", ".join(rest)}, place)
        ), named AS (
            SELECT session_name, count(*) AS added, LEAST(max(timestamp), %s) AS latest
            FROM input GROUP BY session_name
        ), found AS MATERIALIZED (
            SELECT a.session_id, n.session_name, n.added, n.latest FROM named n
            -- Name by name: a plan that was made when there were few sessions must be right for many as well.
            CROSS JOIN LATERAL (
                SELECT id FROM {Session._meta.db_table} WHERE project_id = %s AND session_id = n.session_name LIMIT 1
            ) s
            JOIN {SessionActivity._meta.db_table} a ON a.session_id = s.id
            ORDER BY a.session_id FOR UPDATE OF a
        ), moved AS (
            UPDATE {SessionActivity._meta.db_table} AS t
            SET last_sequence = t.last_sequence + {added}, message_count = t.message_count + {added},
                last_activity_at = GREATEST(t.last_activity_at, f.latest), revision = t.revision + 1
            FROM found f WHERE t.session_id = f.session_id AND (SELECT count(*) FROM found) = %s
            RETURNING t.session_id, f.session_name, t.last_sequence - {added} AS before
        )
        INSERT INTO {kind.model._meta.db_table} ({project}, {session}, {", ".join(rest)}{numbers})
        SELECT %s, m.session_id, {", ".join(f"v.{column}" for column in rest)}{number}
        FROM input v JOIN moved m ON m.session_name = v.session_name
        RETURNING 1
        """


def as_texts(columns: Iterable[Sequence[Any]]) -> list[str] | None:
    """Return each column as one text, which the server takes apart again faster than psycopg writes arrays.

    Returns None where a value holds one of the two signs that this takes.
    """
    texts = []
    for values in columns:
        missing = values.count(None)
        text = _BETWEEN.join(map(_text, values))
        if text.count(_BETWEEN) != len(values) - 1 or text.count(_MISSING) != missing:
            return None
        texts.append(text)
    return texts


def _text(value: Any) -> str:
    if value is None:
        return _MISSING
    return value if isinstance(value, str) else value.isoformat() if isinstance(value, datetime) else repr(value)


def _types(kind: Kind) -> dict[str, str]:
    """Return the casts that the parameters of columns need; texts go by themselves, and too long ones are refused."""
    own = {str(field.column): field for field in kind.model._meta.concrete_fields}
    return {name: "" if isinstance(field, _TEXTS) else f"::{field.db_type(connection)}" for name, field in own.items()}


def _array(cast: str) -> str:
    return f"{cast}[]" if cast else ""
