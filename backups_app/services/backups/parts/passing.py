"""Passing rows on: those of a part as they are to stand in the living store, under its keys, and compared there.

The scratch store says what each row is to be: keys are exchanged for those of the living store by the tables of marks.
"""

# Every name that is put into a statement comes from a model; values are parameters.
# ruff: noqa: S608

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db import DataError, IntegrityError
from django.db.models import Field

from backups_app.archive.rows import Row, checksum_added, checksum_of, converters, lines_made, rows_canonical
from backups_app.services.backups.parts.belongings import MARKED, Named, named_of, owned
from backups_app.services.backups.parts.meeting import WRITTEN, Outcome
from backups_app.services.backups.parts.selecting import marks
from backups_app.services.backups.snapshots import Snapshot
from backups_app.services.backups.tables import Model, column_of
from config.shared.errors import Conflict
from config.shared.pieces import in_pieces
from history_app.models import Task
from history_app.services.ingest.statements import insert_rows, update_rows
from sessions_app.models import Project, Session, SessionActivity

KEYS_AT_ONCE = 500
_COMING = ", ".join(f"'{outcome}'" for outcome in WRITTEN)


@dataclass
class Passed:
    """The rows of one table that were written: how many, and what they add up to without their own keys."""

    model: Model
    fields: Sequence[Any]
    rows: int = 0
    total: int = 0
    convert: list[Any] = field(init=False)

    def __post_init__(self) -> None:
        self.convert = converters([column_of(each) for each in self.fields])

    def add(self, rows: Sequence[Row]) -> None:
        """Count rows as SQLite gives them."""
        self.add_canonical(rows_canonical(rows, self.convert))

    def add_canonical(self, rows: Sequence[Row]) -> None:
        """Count rows in their canonical form."""
        self.rows += len(rows)
        self.total = checksum_added(self.total, checksum_of(lines_made(rows)))

    def compare(self, there: Snapshot, column: str, keys: Iterable[int]) -> None:
        """See that the rows whose `column` is one of these keys are what was written. Raises Conflict."""
        found, columns = Passed(self.model, self.fields), [column_of(each) for each in self.fields]
        for some in in_pieces(keys, KEYS_AT_ONCE):
            chosen = f" WHERE {column} IN ({', '.join(map(str, some))})"
            extent = there.extent(self.model._meta.db_table, columns, chosen)
            for rows in there.rows(self.model._meta.db_table, columns, extent, chosen):
                found.add_canonical(rows)
        if (found.rows, found.total) != (self.rows, self.total):
            label = self.model._meta.label_lower
            raise Conflict(f"{label} came out otherwise than it stands in the archive ({found.rows} of {self.rows}).")


def rows_insert(held: Snapshot, model: Any, condition: str) -> Passed:
    """Add the rows of a table that are coming and for whose marks the condition holds, in the order of their keys."""
    fields = [each for each in model._meta.local_concrete_fields if not _is_own_key(each)]
    passed, names = Passed(model, fields), [str(each.column) for each in fields]
    for _keys, rows in _rows(held, model, fields, condition):
        try:
            insert_rows(model, names, rows)
        except (DataError, IntegrityError) as error:
            raise Conflict(f"This database refuses rows of {model._meta.label_lower}: {error}") from error
        passed.add(rows)
    return passed


def rows_exchange(held: Snapshot, named: Named) -> Passed:
    """Set things that are there to what they were, under the keys that they have."""
    left = ("project", *named.kept)
    fields = [
        each for each in named.model._meta.local_concrete_fields if not _is_own_key(each) and each.name not in left
    ]
    passed, names = Passed(named.model, fields), [str(each.column) for each in fields]
    for keys, rows in _rows(held, named.model, fields, f"p.outcome = '{Outcome.REPLACED}'"):
        update_rows(named.model, names, [(key, *row) for key, row in zip(keys, rows, strict=True)])
        passed.add(rows)
    return passed


def targets(raw: sqlite3.Connection, model: Any, condition: str) -> list[int]:
    """Return the keys in the living store of the marked rows for whose marks the condition holds."""
    return [pk for (pk,) in raw.execute(f"SELECT p.target FROM {marks(model)} p WHERE {condition} ORDER BY 1")]


def coming(model: Any) -> str:
    """Return the condition that holds for the marks of rows, or of their holders, that come in."""
    return f"p.outcome IN ({_COMING})"


def _is_own_key(each: "Field[Any, Any]") -> bool:
    """Whether the store itself gives the key: the key of an activity is its session's."""
    return each.primary_key and each.related_model is None


def _rows(
    held: Snapshot, model: Any, fields: Sequence[Any], condition: str
) -> Iterator[tuple[list[int], list[tuple[Any, ...]]]]:
    """Yield rows as they are to stand in the living store, beside the keys of their marks there."""
    holder = owned().get(model)
    marked = model if named_of(model) else holder.related_model if holder else model
    key = holder.column if holder is not None else model._meta.pk.column
    columns = ", ".join(_value(model, each) for each in fields)
    table = model._meta.db_table
    chosen = f" WHERE {key} IN (SELECT p.pk FROM {marks(marked)} p WHERE {condition})"
    extent = held.extent(table, [column_of(each) for each in fields], chosen)
    statement = (
        f"SELECT p.target, {columns} FROM {table} t JOIN {marks(marked)} p ON p.pk = t.{key} "
        f"WHERE {condition} ORDER BY t.{model._meta.pk.column}"
    )
    for batch in held.selected(statement, extent):
        yield [row[0] for row in batch], [tuple(row[1:]) for row in batch]


def _value(model: Any, each: Any) -> str:
    """Return the expression by which a column is read from the scratch store."""
    parent, named = each.related_model, named_of(model)
    if parent is Project and model in owned():
        project = f"SELECT s.project_id FROM {Session._meta.db_table} s WHERE s.id = t.session_id"
        return f"(SELECT target FROM {marks(Project)} WHERE pk = ({project}))"
    if parent in MARKED:
        return f"(SELECT target FROM {marks(parent)} WHERE pk = t.{each.column})"
    if named and each.name == named.own_id:
        return f"COALESCE(p.called, t.{each.column})"
    if named and named.counts_versions and each.name == "version":
        # Versions go on, so that nobody who holds one takes another row for it.
        return "CASE WHEN p.version IS NULL THEN t.version ELSE MAX(t.version, p.version) + 1 END"
    if model is SessionActivity and each.name == "last_fence":
        return "CASE WHEN p.fence IS NULL THEN t.last_fence ELSE MAX(t.last_fence, p.fence) + 1 END"
    return f"t.{each.column}"


def tasks_found_again(raw: sqlite3.Connection) -> None:
    """Mark the keys that the tasks have which have just been written: their steps and calls refer to them."""
    task, statement = (
        Task._meta.db_table,
        (
            f"UPDATE {marks(Task)} SET target = ? WHERE pk = (SELECT t.id FROM {Task._meta.db_table} t "
            f"JOIN {marks(Session)} p ON p.pk = t.session_id WHERE p.target = ? AND t.record_id = ?)"
        ),
    )
    raw.execute(
        f"UPDATE {marks(Task)} SET outcome = (SELECT p.outcome FROM {task} t JOIN {marks(Session)} p "
        f"ON p.pk = t.session_id WHERE t.id = {marks(Task)}.pk)"
    )
    for some in in_pieces(targets(raw, Session, coming(Session)), KEYS_AT_ONCE):
        found = Task.objects.filter(session__in=some).values_list("pk", "session_id", "record_id")
        raw.executemany(statement, list(found))
