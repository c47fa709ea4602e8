"""The store as it is at one moment, read table by table in constant memory, on each of the three databases."""

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.utils import timezone

from backups_app.archive.manifest import Column, Kind
from backups_app.archive.rows import Row, converters, rows_canonical
from backups_app.services.backups.scratch import scratch_folder

# Rows of a batch; fewer where the longest row of the table would make it larger than this.
_ROWS, _LEAST_ROWS = 512, 8
_PATIENCE_SECONDS = 60
_BATCH_BYTES = 32 * 1024 * 1024
_LENGTHS = {
    "sqlite": "LENGTH(CAST({0} AS BLOB))",
    "postgresql": "OCTET_LENGTH({0})",
    "mysql": "OCTET_LENGTH({0})",
}
# What a driver gives as the encoder takes it already.
_ALREADY: dict[str, tuple[Kind, ...]] = {"sqlite": (), "postgresql": ("time", "bool"), "mysql": ()}


class _Source(Protocol):
    """A connection that stays at one moment."""

    vendor: str

    def batches(self, statement: str, size: int) -> Iterator[Sequence[Row]]:
        """Yield the rows of a statement, `size` at a time, no more of them in memory."""


@dataclass(frozen=True)
class Extent:
    """How much a table holds: its rows, and the bytes of the texts of its longest row."""

    rows: int
    longest: int


class Snapshot:
    """The store at the moment `taken_at`: whatever is written meanwhile is not in it."""

    def __init__(self, source: _Source, version: str, taken_at: datetime) -> None:
        self._source, self.vendor, self.version, self.taken_at = source, source.vendor, version, taken_at

    def migrations(self) -> dict[str, list[str]]:
        """Return the migrations that are applied, by app."""
        found: dict[str, list[str]] = {}
        for batch in self._source.batches("SELECT app, name FROM django_migrations ORDER BY app, name", _ROWS):
            for app, name in batch:
                found.setdefault(app, []).append(name)
        return found

    def extent(self, table: str, columns: Sequence[Column], chosen: str = "") -> Extent:
        """Return how much a table holds; `chosen` is a WHERE clause that leaves some of its rows."""
        length = _LENGTHS[self.vendor]
        texts = [
            length.format(self._quoted(column.name)) for column in columns if column.kind in ("text", "json", "bytes")
        ]
        longest = " + ".join(f"COALESCE({text}, 0)" for text in texts) or "0"
        statement = f"SELECT COUNT(*), COALESCE(MAX({longest}), 0) FROM {self._quoted(table)}{chosen}"  # noqa: S608 - of models
        (((rows, length_),),) = self._source.batches(statement, 1)
        return Extent(int(rows), int(length_))

    def rows(self, table: str, columns: Sequence[Column], extent: Extent, chosen: str = "") -> Iterator[Sequence[Row]]:
        """Yield the rows of a table, or the chosen ones, in their canonical form, in batches of bounded size."""
        convert = converters(columns, _ALREADY[self.vendor])
        for batch in self.rows_as_stored(table, columns, extent, chosen):
            yield rows_canonical(batch, convert)

    def rows_as_stored(
        self, table: str, columns: Sequence[Column], extent: Extent, chosen: str = ""
    ) -> Iterator[Sequence[Row]]:
        """Yield the rows of a table, or the chosen ones, as the driver gives them, in batches of bounded size."""
        names = ", ".join(self._quoted(column.name) for column in columns)
        yield from self.selected(f"SELECT {names} FROM {self._quoted(table)}{chosen}", extent)  # noqa: S608 - of models

    def selected(self, statement: str, extent: Extent) -> Iterator[Sequence[Row]]:
        """Yield what a statement gives, as the driver does, in batches of bounded size; the rows are of that extent."""
        size = max(_LEAST_ROWS, min(_ROWS, _BATCH_BYTES // max(1, extent.longest)))
        batches = self._source.batches(statement, size)
        # A server looks for the next rows while these are worked on; SQLite's are there at once.
        yield from batches if self.vendor == "sqlite" else _ahead(batches)

    def _quoted(self, name: str) -> str:
        return f"`{name}`" if self.vendor == "mysql" else f'"{name}"'


def _ahead(batches: Iterator[Sequence[Row]]) -> Iterator[Sequence[Row]]:
    """Yield batches, the next one being fetched by a thread meanwhile."""
    with ThreadPoolExecutor(1, thread_name_prefix="rows") as fetching:
        coming = fetching.submit(next, batches, None)
        while (rows := coming.result()) is not None:
            coming = fetching.submit(next, batches, None)
            yield rows


@contextmanager
def snapshot(using: str = "default") -> Iterator[Snapshot]:
    """Take a snapshot of a database over a connection of its own, and let it go afterwards."""
    vendor = connections[using].vendor
    if vendor == "sqlite":
        with scratch_folder() as folder, _sqlite(str(connections[using].settings_dict["NAME"]), folder) as copy:
            yield Snapshot(copy, sqlite3.sqlite_version, timezone.now())
        return
    connection = connections[using].copy()
    try:
        connection.ensure_connection()
        raw = connection.connection
        source: _Source = _PostgreSQL(raw) if vendor == "postgresql" else _MariaDB(raw)
        yield Snapshot(source, ".".join(map(str, connection.get_database_version())), timezone.now())
    finally:
        connection.close()


@contextmanager
def snapshot_of_file(path: Path) -> Iterator[Snapshot]:
    """Read a SQLite file to which nobody writes."""
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as copy:
        copy.execute("PRAGMA query_only=ON")
        yield Snapshot(_SQLite(copy), sqlite3.sqlite_version, timezone.now())


def snapshot_within(connection: BaseDatabaseWrapper) -> Snapshot:
    """Return the store as the transaction that is under way sees it."""
    raw = connection.connection
    sources: dict[str, Callable[[], _Source]] = {
        "sqlite": lambda: _SQLite(raw),
        "postgresql": lambda: _PostgreSQL(raw, begun=True),
        "mysql": lambda: _MariaDB(raw, begun=True),
    }
    return Snapshot(sources[connection.vendor](), "", timezone.now())


class _SQLite:
    """A copy of the file, made by SQLite itself in one step: writers wait for it, and then for nothing."""

    vendor = "sqlite"

    def __init__(self, copy: sqlite3.Connection) -> None:
        self._copy = copy

    def batches(self, statement: str, size: int) -> Iterator[Sequence[Row]]:
        with closing(self._copy.execute(statement)) as cursor:
            while rows := cursor.fetchmany(size):
                yield rows


def sqlite_copied(name: str, path: Path) -> None:
    """Copy a SQLite database, as it stands committed, to a file. Raises sqlite3.Error."""
    # A long read would stop every writer in rollback-journal mode, and a copy in small steps begins anew with each
    # write of another process; so the file is copied at once, at the speed of the disk.
    is_uri = name.startswith("file:")
    with (
        closing(sqlite3.connect(name, uri=is_uri, timeout=_PATIENCE_SECONDS)) as store,
        closing(sqlite3.connect(path)) as copy,
    ):
        store.backup(copy)


@contextmanager
def _sqlite(name: str, folder: Path) -> Iterator[_SQLite]:
    path = folder / "store.sqlite3"
    sqlite_copied(name, path)
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as copy:
        copy.execute("PRAGMA query_only=ON")
        yield _SQLite(copy)


class _PostgreSQL:
    """A transaction that reads what was committed before it, by cursors that the server keeps."""

    vendor = "postgresql"

    def __init__(self, raw: Any, *, begun: bool = False) -> None:
        self._raw = raw
        for statement in (
            ()
            if begun
            else (
                "SET statement_timeout = 0",
                "SET idle_in_transaction_session_timeout = 0",
                "SET synchronize_seqscans = off",
                "SET TimeZone = 'UTC'",
                "BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY",
                # The snapshot is taken by the first statement, not by BEGIN.
                "SELECT 1",
            )
        ):
            raw.execute(statement)

    def batches(self, statement: str, size: int) -> Iterator[Sequence[Row]]:
        import psycopg

        with psycopg.ServerCursor(self._raw, "backup") as cursor:
            cursor.execute(statement, binary=True)  # type: ignore[arg-type]
            while rows := cursor.fetchmany(size):
                yield rows


class _MariaDB:
    """A consistent snapshot of InnoDB, its rows taken from the connection one by one."""

    vendor = "mysql"

    def __init__(self, raw: Any, *, begun: bool = False) -> None:
        self._raw = raw
        with closing(raw.cursor()) as cursor:
            for statement in (
                ()
                if begun
                else (
                    "SET SESSION max_statement_time = 0, net_write_timeout = 600, time_zone = '+00:00'",
                    "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ",
                    "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY",
                )
            ):
                cursor.execute(statement)

    def batches(self, statement: str, size: int) -> Iterator[Sequence[Row]]:
        from MySQLdb.cursors import SSCursor

        with closing(self._raw.cursor(SSCursor)) as cursor:
            cursor.execute(statement)
            while rows := cursor.fetchmany(size):
                yield rows
