"""The statements of the bulk writer in each database's own words: the only SQL of the product besides search."""

# Every name that is put into a statement comes from a model or from this package; values are parameters.
# ruff: noqa: S608

import json
from collections.abc import Sequence
from typing import Any

from django.db import connection, models

from config.shared.bulk_rows import copy_lines
from history_app.services.ingest.columns import Row, adapted
from history_app.services.ingest.packets import packets_explained

ROWS_PER_WRITE = 100
# Types of the columns of a table of values: what each database calls them.
INTEGER, TEXT, TIME, AMOUNT = "integer", "text", "time", "amount"
_POSTGRESQL_TYPES = {INTEGER: "bigint", TEXT: "text", TIME: "timestamptz", AMOUNT: "numeric"}
_MARIADB_TYPES = {INTEGER: "BIGINT", TEXT: "VARCHAR(255)", TIME: "DATETIME(6)", AMOUNT: "DECIMAL(36, 24)"}
_MARIADB_TEXT_COLLATION = "utf8mb4_nopad_bin"


def insert_rows(model: type[models.Model], columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Add rows.

    Raises IntegrityError when a constraint objects; the caller's savepoint undoes all of them then. TooLarge where a
    row is larger than MariaDB takes at once.
    """
    if not rows:
        return
    quoted = connection.ops.quote_name
    table, names = quoted(model._meta.db_table), ", ".join(map(quoted, columns))
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            # COPY is psycopg's own and not Django's: its errors are turned into Django's here.
            with connection.wrap_database_errors, cursor.copy(f"COPY {table} ({names}) FROM STDIN") as copy:
                # Bit by bit: the server stores the first rows while the next ones are being written out.
                for start in range(0, len(rows), ROWS_PER_WRITE):
                    copy.write(copy_lines(zip(*rows[start : start + ROWS_PER_WRITE], strict=True)))
            return
        marks = ", ".join(["%s"] * len(columns))
        values = [tuple(map(adapted, row)) for row in rows]
        # PyMySQL joins these into statements of many rows, a megabyte each; SQLite prepares one and runs it again.
        with packets_explained(model._meta.label_lower, values):
            cursor.executemany(f"INSERT INTO {table} ({names}) VALUES ({marks})", values)


def values_table(columns: Sequence[tuple[str, str]], rows: Sequence[Row]) -> tuple[str, list[Any]]:
    """Return SQL for a table `v` of Python values with these (name, type) columns, and its parameters."""
    if connection.vendor == "postgresql":
        arrays = ", ".join(f"%s::{_POSTGRESQL_TYPES[kind]}[]" for _name, kind in columns)
        names = ", ".join(name for name, _kind in columns)
        return f"unnest({arrays}) AS v({names})", [[row[i] for row in rows] for i in range(len(columns))]
    document = json.dumps([[adapted(value) for value in row] for row in rows], ensure_ascii=False)
    if connection.vendor == "sqlite":
        picked = ", ".join(f"json_extract(value, '$[{i}]') AS {name}" for i, (name, _kind) in enumerate(columns))
        return f"(SELECT {picked} FROM json_each(%s)) AS v", [document]
    picked = ", ".join(f"{name} {_MARIADB_TYPES[kind]} PATH '$[{i}]'" for i, (name, kind) in enumerate(columns))
    return f"JSON_TABLE(%s, '$[*]' COLUMNS ({picked})) AS v", [document]


def _equals(name: str, kind: str) -> str:
    if kind == TEXT and connection.vendor == "mysql":
        return f"t.{name} = v.{name} COLLATE {_MARIADB_TEXT_COLLATION}"
    return f"t.{name} = v.{name}"


def select_matching(
    model: type[models.Model], columns: Sequence[str], keys: Sequence[tuple[str, str]], values: Sequence[Row]
) -> list[Row]:
    """Return these columns of the rows whose key columns, given as (name, type), equal one of the values' rows."""
    if not values:
        return []
    source, parameters = values_table(keys, values)
    picked = ", ".join(f"t.{column}" for column in columns)
    match = " AND ".join(_equals(name, kind) for name, kind in keys)
    # The values are few and the table is large: SQLite and MariaDB are told to begin with the values.
    join = {"sqlite": "CROSS JOIN", "mysql": "STRAIGHT_JOIN"}.get(connection.vendor, "JOIN")
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {picked} FROM {source} {join} {model._meta.db_table} t ON {match}", parameters)
        found: list[Row] = cursor.fetchall()
        return found


def update_rows(model: type[models.Model], columns: Sequence[str], rows: Sequence[Row]) -> None:
    """Set these columns of rows by primary key; each row is (primary key, values in the columns' order)."""
    if not rows:
        return
    sets = ", ".join(f"{connection.ops.quote_name(column)} = %s" for column in columns)
    convert = (lambda value: value) if connection.vendor == "postgresql" else adapted
    with connection.cursor() as cursor:
        cursor.executemany(
            f"UPDATE {model._meta.db_table} SET {sets} WHERE {model._meta.pk.column} = %s",
            [(*map(convert, values), pk) for pk, *values in rows],
        )


def advance_counters(table: str, rows: Sequence[tuple[int, int, int, int, Any]]) -> int:
    """Move the activity of sessions on, and return how many rows were moved.

    Each row is (session, last sequence as it was read, by how much it grows, new messages, time of the newest fact); a
    row whose last sequence is another by now is left alone.
    """
    columns = [("session_id", INTEGER), ("was", INTEGER), ("numbered", INTEGER), ("added", INTEGER), ("latest", TIME)]
    source, parameters = values_table(columns, rows)
    later = "MAX" if connection.vendor == "sqlite" else "GREATEST"
    sets = (
        "last_sequence = t.last_sequence + v.numbered, message_count = t.message_count + v.added, "
        f"revision = t.revision + 1, last_activity_at = {later}(t.last_activity_at, v.latest)"
    )
    match = "t.session_id = v.session_id AND t.last_sequence = v.was"
    with connection.cursor() as cursor:
        if connection.vendor == "mysql":
            cursor.execute(f"UPDATE {table} t JOIN {source} ON {match} SET {sets}", parameters)
        else:
            cursor.execute(f"UPDATE {table} AS t SET {sets} FROM {source} WHERE {match}", parameters)
        moved: int = cursor.rowcount
        return moved
