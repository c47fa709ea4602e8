"""A scratch store in a SQLite file: an archive is read into it, brought up to this version, and checked.

Only rows that all fitted there go on into a real store.
"""

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.executor import MigrationExecutor

from backups_app.archive import Archive, ArchiveRefused
from backups_app.archive.manifest import Column, Table
from backups_app.archive.rows import checksum_added, checksum_of, checksum_text, lines_made
from backups_app.services.backups.databases import as_default, database_of_file
from backups_app.services.backups.invariants import findings_of, totals_of
from backups_app.services.backups.progress import Progress
from backups_app.services.backups.schema_states import SchemaState
from backups_app.services.backups.snapshots import Snapshot, snapshot_of_file
from backups_app.services.backups.tables import archived_models, columns_of

READING, BRINGING_UP, CHECKING = "reading the archive", "bringing up to this version", "checking"


@dataclass(frozen=True)
class Content:
    """What a table holds: so many rows, which add up to this checksum."""

    rows: int
    checksum: str


@dataclass
class Scratch:
    """A scratch store that is filled and checked."""

    path: Path
    content: dict[str, Content]
    findings: dict[str, int] = field(default_factory=dict)
    totals: dict[str, int] = field(default_factory=dict)

    @property
    def rows(self) -> int:
        """How many rows there are in all tables."""
        return sum(each.rows for each in self.content.values())


def scratch_fill(archive: Archive, state: SchemaState, path: Path, progress: Progress) -> Scratch:
    """Read an archive into a new scratch store, and check it. Raises ArchiveRefused, naming file and reason."""
    with as_default(database_of_file(path)) as connection:
        _tables_make(connection, state)
        connection.close()
        with closing(sqlite3.connect(path, isolation_level=None)) as raw:
            _rows_take(raw, archive, state, progress)
        if not state.is_current:
            progress.tell(BRINGING_UP)
            executor = MigrationExecutor(connection)
            executor.migrate(executor.loader.graph.leaf_nodes())
    progress.tell(CHECKING)
    with closing(sqlite3.connect(path)) as raw:
        _references_check(raw)
        scratch = Scratch(path, {}, findings_of(raw), totals_of(raw))
    with snapshot_of_file(path) as held:
        scratch.content = _content(held, archive, state)
    return scratch


def _tables_make(connection: BaseDatabaseWrapper, state: SchemaState) -> None:
    if not state.is_current:
        MigrationExecutor(connection).migrate(state.newest)
        return
    # What the migrations would have made, without their triggers, in a twentieth of the time.
    with connection.schema_editor() as editor:
        for model in archived_models():
            # Tables of relations are made with the model that has them.
            if not model._meta.auto_created:
                editor.create_model(model)


def _rows_take(raw: sqlite3.Connection, archive: Archive, state: SchemaState, progress: Progress) -> None:
    raw.executescript(
        "PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; PRAGMA foreign_keys=OFF; PRAGMA cache_size=-65536; BEGIN"
    )
    for table in archive.manifest.tables:
        _table_take(raw, archive, table, state.models[table.label], progress)
    raw.execute("COMMIT")


def _table_take(raw: sqlite3.Connection, archive: Archive, table: Table, model: Any, progress: Progress) -> None:
    columns = [column.name for column in table.columns]
    absent = _defaults(model, columns)
    names = ", ".join(f'"{name}"' for name in (*columns, *absent))
    marks = ", ".join("?" * (len(columns) + len(absent)))
    statement = f'INSERT INTO "{model._meta.db_table}" ({names}) VALUES ({marks})'  # noqa: S608 - of models
    if raw.execute(f'SELECT 1 FROM "{model._meta.db_table}"').fetchone():  # noqa: S608
        raw.execute(f'DELETE FROM "{model._meta.db_table}"')  # noqa: S608
    stored, rest = storable(table.columns), tuple(absent.values())
    for rows in archive.rows(table, lambda _bytes: None):
        try:
            raw.executemany(statement, [(*row, *rest) for row in stored(rows)])
        except sqlite3.Error as error:
            raise ArchiveRefused(table.label, f"its rows break a rule of the table: {error}") from error
        progress.add(len(rows), READING)


def storable(columns: Sequence[Column]) -> Callable[[list[tuple[Any, ...]]], list[Any]]:
    """Return what makes SQLite's values of an archive's: times are written with a space and in UTC without a zone."""
    times = [index for index, column in enumerate(columns) if column.kind == "time"]

    def stored(rows: list[tuple[Any, ...]]) -> list[Any]:
        made: list[Any] = [list(row) for row in rows]
        for index in times:
            for row in made:
                value = row[index]
                if value is not None:
                    row[index] = f"{value[:10]} {value[11:-1]}"
        return made

    return stored if times else lambda rows: rows


def _defaults(model: Any, columns: Sequence[str]) -> dict[str, Any]:
    """Return the values of the columns that an archive does not have: the defaults that new rows have."""
    fields = [each for each in model._meta.local_concrete_fields if each.column not in columns]
    return {each.column: _plain(each, each.get_default()) for each in fields}


def _plain(of: Any, value: Any) -> Any:
    from django.db import connection

    return of.get_db_prep_save(value, connection)


def _references_check(raw: sqlite3.Connection) -> None:
    names = {model._meta.db_table: model._meta.label_lower for model in archived_models()}
    for table, row, parent, _number in raw.execute("PRAGMA foreign_key_check"):
        if table in names:
            raise ArchiveRefused(names[table], f"its row {row} refers to a row of {parent} that is not there")


def _content(held: Snapshot, archive: Archive, state: SchemaState) -> dict[str, Content]:
    """Return what each table holds: as the archive states it, which was compared, or added up where it has changed."""
    found = {}
    for model in archived_models():
        label, columns = model._meta.label_lower, columns_of(model)
        table = archive.manifest.table(label)
        if state.is_current and table is not None and table.columns == columns:
            found[label] = Content(table.rows, table.checksum)
        else:
            found[label] = content_of(held, model)
    return found


def content_of(held: Snapshot, model: Any, tick: Callable[[int], None] = lambda _rows: None) -> Content:
    """Read a table and add it up."""
    number = total = 0
    for rows in rows_of(held, model):
        number, total = number + len(rows), checksum_added(total, checksum_of(lines_made(rows)))
        tick(len(rows))
    return Content(number, checksum_text(total))


def rows_of(held: Snapshot, model: Any) -> Iterator[Sequence[Any]]:
    """Yield the rows of a table in their canonical form."""
    table, columns = model._meta.db_table, columns_of(model)
    yield from held.rows(table, columns, held.extent(table, columns))
