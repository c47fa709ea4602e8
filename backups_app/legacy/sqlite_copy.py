"""Reads SQLite files of unknown origin: on a private copy, only SELECT on expected tables, in bounded time."""

import fcntl
import math
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from backups_app.legacy.files import Unreadable, open_plain
from backups_app.legacy.types import Limits

# Where SQLite's readers hold their lock (the "lock-byte page" of its file format): who writes the file holds it alone.
_SHARED_FIRST = 0x40000000 + 2
_SHARED_SIZE = 510
_SIDECARS = ("-wal", "-journal")
_WAIT_STEP = 0.05
_COPIES_AT_MOST = 5
_PROGRESS_STEPS = 10_000
# Before any number that a row has, and what the number is called.
_BEFORE_ALL = -1e19
_NUMBER_NAMES = ("rowid", "_rowid_", "oid")
_CHECKED_BYTES_PER_SECOND = 20_000_000
# Check constraints are run by quick_check; ours is only to see whether the pages are whole.
_PRAGMAS = ("trusted_schema=OFF", "cell_size_check=ON", "query_only=ON", "mmap_size=0", "ignore_check_constraints=ON")
# Names and messages of a damaged file need not be UTF-8, and Python reads them as that.
_FAULTS = (sqlite3.Error, UnicodeError)
_COMPUTED = (2, 3)
_ALLOWED = (sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ)

Row = dict[str, Any]


class SQLiteCopy:
    """A checked copy of a SQLite file. `tables` are those of the expected names that are plain tables in it."""

    def __init__(self, connection: sqlite3.Connection, expected: Sequence[str], limits: Limits, size: int) -> None:
        self._connection = connection
        self._seconds = limits.query_seconds or math.inf
        self._deadline = time.monotonic() + self._seconds + size / _CHECKED_BYTES_PER_SECOND
        self._harden(set(expected), limits)

    def _harden(self, expected: set[str], limits: Limits) -> None:
        """Check the pages, see which tables there are, and then forbid everything but reading them."""
        connection = self._connection
        connection.text_factory = lambda data: data.decode("utf-8", "surrogateescape")
        connection.set_progress_handler(self._is_late, _PROGRESS_STEPS)
        for pragma in _PRAGMAS:
            connection.execute(f"PRAGMA {pragma}").close()
        tables = connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'table'").fetchall()
        plain = {name for name, sql in tables if not _is_virtual(sql)}
        self._columns = {name: self._stored_columns(name) for name in plain}
        verdict = connection.execute("PRAGMA quick_check(1)").fetchone()
        if verdict is None or verdict[0] != "ok":
            # SQLite tells it in several lines; a finding is one.
            told = " ".join(str(verdict[0]).split()) if verdict else "no answer"
            raise Unreadable(f"the database is damaged: {told}")
        # The check reads long values too, and would fail at the limit.
        connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, limits.line_bytes)
        self.tables = plain & expected
        connection.set_authorizer(self._authorize)

    def _stored_columns(self, table: str) -> set[str]:
        """The columns of a table. One that is computed when read can keep the processor busy past any clock of ours."""
        columns = self._connection.execute("SELECT name, hidden FROM pragma_table_xinfo(?)", (table,)).fetchall()
        if any(hidden in _COMPUTED for _name, hidden in columns):
            raise Unreadable(f"table {table} has computed columns; such a database is not read")
        return {name.lower() for name, _hidden in columns}

    def _authorize(self, action: int, first: str | None, *rest: str | None) -> int:
        """Only SELECT, and only of columns of the expected tables."""
        readable = action == sqlite3.SQLITE_SELECT or (action == sqlite3.SQLITE_READ and first in self.tables)
        return sqlite3.SQLITE_OK if action in _ALLOWED and readable else sqlite3.SQLITE_DENY

    def _is_late(self) -> bool:
        return time.monotonic() > self._deadline

    def _restart_clock(self) -> None:
        self._deadline = time.monotonic() + self._seconds

    def rows(self, table: str) -> Iterator[Row]:
        """The rows of an expected table with whatever columns it has; none where the table is missing.

        Raises `Unreadable` when the file turns out damaged or takes too long; the rows before were good.
        """
        if table not in self.tables:
            return
        try:
            for names, row in self._stepped(f'SELECT * FROM "{table}"'):  # noqa: S608 - an expected name
                yield dict(zip(names, row, strict=True))
        except _FAULTS as error:
            raise Unreadable(f"table {table}: {error}") from error

    def numbered_rows(self, table: str) -> Iterator[tuple[int, Row | None]]:
        """The rows of an expected table, each with its number; None in place of one with a value over the limit.

        Raises `Unreadable` as `rows` does, and for a table whose rows have no numbers.
        """
        if table not in self.tables:
            return
        number = self._number_of(table)
        last: float = _BEFORE_ALL
        query = f'SELECT {number}, * FROM "{table}" WHERE {number} > ? ORDER BY {number}'  # noqa: S608 - as above
        while True:
            try:
                for names, row in self._stepped(query, last):
                    last = row[0]
                    yield row[0], dict(zip(names[1:], row[1:], strict=True))
                return
            except sqlite3.DataError:
                # A value ahead is over the limit: the next row is read by itself, and the reading goes on behind it.
                found = self._number_after(table, last)
                yield found, self.numbered_row(table, found)
                last = found
            except _FAULTS as error:
                raise Unreadable(f"table {table}: {error}") from error

    def numbered_row(self, table: str, number: int) -> Row | None:
        """The row of this number, which `numbered_rows` gave; None where a value is over the limit."""
        query = f'SELECT * FROM "{table}" WHERE {self._number_of(table)} = ?'  # noqa: S608 - as above
        try:
            return next((dict(zip(names, row, strict=True)) for names, row in self._stepped(query, number)), None)
        except sqlite3.DataError:
            return None
        except _FAULTS as error:
            raise Unreadable(f"table {table}: {error}") from error

    def _number_after(self, table: str, last: float) -> int:
        number = self._number_of(table)
        query = f'SELECT {number} FROM "{table}" WHERE {number} > ? ORDER BY {number}'  # noqa: S608 - as above
        try:
            for _names, row in self._stepped(query, last):
                return int(row[0])
        except _FAULTS as error:
            raise Unreadable(f"table {table}: {error}") from error
        raise Unreadable(f"table {table}: its rows cannot be told apart")

    def _number_of(self, table: str) -> str:
        """What the number of a row is called: a column of that name would hide it."""
        for name in _NUMBER_NAMES:
            if name not in self._columns[table]:
                return name
        raise Unreadable(f"table {table}: its rows have no numbers")

    def _stepped(self, query: str, *values: Any) -> Iterator[tuple[list[str], tuple[Any, ...]]]:
        """Names and values of the rows of a query, one row at a time in memory; each has its own time."""
        self._restart_clock()
        with closing(self._connection.execute(query, values)) as cursor:
            names = [column[0] for column in cursor.description]
            for row in cursor:
                yield names, row
                self._restart_clock()

    def row(self, table: str, column: str, value: str) -> Row | None:
        """The row of an expected table whose column has this value; None where there is none, or no such table."""
        if table not in self.tables:
            return None
        query = f'SELECT * FROM "{table}" WHERE "{column}" IS ?'  # noqa: S608 - as above
        try:
            return next((dict(zip(names, row, strict=True)) for names, row in self._stepped(query, value)), None)
        except _FAULTS as error:
            raise Unreadable(f"table {table}: {error}") from error


def _is_virtual(sql: str | None) -> bool:
    return sql is None or sql.lstrip().upper().startswith("CREATE VIRTUAL")


@contextmanager
def open_copy(path: Path, expected: Sequence[str], limits: Limits) -> Iterator[SQLiteCopy]:
    """Open a private copy of the SQLite file at `path` for reading the `expected` tables.

    The source is neither opened by SQLite nor changed. Raises `Unreadable` when it stays locked or changing for
    `limits.lock_seconds`, and when it is no database or a damaged one.
    """
    with tempfile.TemporaryDirectory(prefix="legacy-") as folder:
        copy = Path(folder) / "copy.db"
        _copy_unlocked(path, copy, limits.lock_seconds)
        try:
            with closing(_connect(copy)) as connection:
                yield SQLiteCopy(connection, expected, limits, copy.stat().st_size)
        except _FAULTS as error:
            raise Unreadable(f"not a readable SQLite database: {error}") from error


def _connect(copy: Path) -> sqlite3.Connection:
    # With a rollback journal SQLite has to finish the rollback, which needs a writable file; the copy is our own.
    mode = "rw" if copy.with_name(copy.name + "-journal").exists() else "ro"
    return sqlite3.connect(f"{copy.as_uri()}?mode={mode}", uri=True, timeout=1, isolation_level=None)


def _copy_unlocked(source: Path, target: Path, seconds: float) -> None:
    """Copy the file and its sidecars while nobody writes them; a copy during which they changed is made again."""
    deadline = time.monotonic() + seconds
    with open_plain(source) as file:
        _wait_for_lock(file.fileno(), deadline, seconds)
        for _attempt in range(_COPIES_AT_MOST):
            before = _stamps(source)
            _copy(source, target)
            if _stamps(source) == before:
                return
    raise Unreadable("the database is being written to; its files kept changing while they were copied")


def _wait_for_lock(handle: int, deadline: float, seconds: float) -> None:
    while True:
        try:
            fcntl.lockf(handle, fcntl.LOCK_SH | fcntl.LOCK_NB, _SHARED_SIZE, _SHARED_FIRST)
            return
        except OSError as error:
            if time.monotonic() > deadline:
                raise Unreadable(f"the database is locked by another process; waited {seconds:g} s") from error
            time.sleep(_WAIT_STEP)


def _stamps(source: Path) -> list[tuple[int, int] | None]:
    """Size and time of change of the file and of each sidecar."""
    return [_stamp(source.with_name(source.name + suffix)) for suffix in ("", *_SIDECARS)]


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat(follow_symlinks=False)
    except FileNotFoundError:
        return None
    return found.st_size, found.st_mtime_ns


def _copy(source: Path, target: Path) -> None:
    for suffix in ("", *_SIDECARS):
        path = source.with_name(source.name + suffix)
        if _stamp(path) is None:
            continue
        with open_plain(path) as file, target.with_name(target.name + suffix).open("wb") as out:
            shutil.copyfileobj(file, out, 1024 * 1024)
