"""Reads the chat tables of a living MySQL or MariaDB by its URL: one snapshot, only SELECT, few rows at a time."""

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC
from typing import Any
from urllib.parse import unquote, urlsplit

import pymysql
from msgspec import Struct
from pymysql.constants import ER, FIELD_TYPE
from pymysql.converters import encoders
from pymysql.cursors import SSCursor

from backups_app.legacy.files import Unreadable
from backups_app.legacy.locations import URL
from backups_app.legacy.mysql_chat.statements import KINDS, SCHEMA, Row, Value, no_zone
from backups_app.legacy.types import NO_SERVER, Finding, Level, Place, Reading

ROWS_AT_ONCE = 500
DEFAULT_PORT = 3306
# The server ends a statement that takes too long; only one that says nothing at all is given up on by the socket.
SECONDS_BEYOND = 2
_FALLBACK_KEYS = {"chat_sessions": ("session_id",), "chat_messages": ("id", "session_id")}
_LONG = frozenset(
    {FIELD_TYPE.BLOB, FIELD_TYPE.TINY_BLOB, FIELD_TYPE.MEDIUM_BLOB, FIELD_TYPE.LONG_BLOB, FIELD_TYPE.JSON}
)
_INTEGERS = frozenset(
    {FIELD_TYPE.TINY, FIELD_TYPE.SHORT, FIELD_TYPE.INT24, FIELD_TYPE.LONG, FIELD_TYPE.LONGLONG, FIELD_TYPE.YEAR}
)
_TIMED_OUT = (ER.STATEMENT_TIMEOUT, 3024)  # MariaDB, MySQL
# RuntimeError is how PyMySQL refuses a server that asks for a file of ours; the others come from what is no MySQL.
_FAULTS = (pymysql.MySQLError, OSError, RuntimeError, ValueError, IndexError, AssertionError)


class Table(Struct, frozen=True):
    """One of the two tables as the server has it: its columns with their types, and the one it is read along."""

    name: str
    key: str
    columns: dict[str, int]


class Server:
    """One database of a server, in one transaction that only reads. `count` is how many rows it has, 0 if unknown."""

    def __init__(self, url: URL, reading: Reading) -> None:
        """Connect and take the snapshot. Raises `Unreadable` where nobody answers, the URL is none, or nothing fits."""
        self._url = url
        self._reading = reading
        self._place = Place(url.shown)
        try:
            self._connection = pymysql.connect(**_arguments(url, reading))
        except _FAULTS as error:
            raise Unreadable(f"{url.shown} cannot be read: {self._words(error)}") from error
        try:
            self._take_snapshot()
            self._tables = [table for name in SCHEMA if (table := self._table(name))]
            self.count = sum(self._count(table) for table in self._tables)
        except _FAULTS as error:
            self.close()
            raise Unreadable(f"{url.shown} cannot be read: {self._words(error)}") from error
        if not self._tables:
            self.close()
            raise Unreadable(f"{url.shown} has none of the tables {', '.join(SCHEMA)}")

    def rows(self) -> Iterator[Row]:
        """The rows of the tables in the order of their keys, as a dump has them.

        Where the server stops answering, that is reported; the rows before were good.
        """
        try:
            for table in self._tables:
                yield from self._rows_of(table)
        except _FAULTS as error:
            detail = f"the server stopped answering: {self._words(error)}"
            self._tell(Level.REJECTED, NO_SERVER, detail)

    def row(self, table: str, values: dict[str, Value]) -> Row:
        """A row of these values. TIMESTAMP comes in UTC; DATETIME is in the zone that was stated for the reading."""
        local = next(known for known in self._tables if known.name == table).columns
        stated = frozenset(name for name, kind in local.items() if kind == FIELD_TYPE.DATETIME)
        return Row(table, values, None, UTC, stated)

    def close(self) -> None:
        """Leave the server."""
        self._connection.close()

    def _take_snapshot(self) -> None:
        maria = "MariaDB" in str(self._connection.get_server_info())
        seconds = self._reading.limits.query_seconds
        limit = f"max_statement_time = {seconds}" if maria else f"max_execution_time = {int(seconds * 1000)}"
        with closing(self._connection.cursor()) as cursor:
            cursor.execute(f"SET SESSION sql_mode = '', time_zone = '+00:00', {limit}")
            cursor.execute("SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            cursor.execute("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY")

    def _table(self, name: str) -> Table | None:
        """The table's columns; None, with a finding, where it is missing or has no key to read it by."""
        with closing(self._connection.cursor()) as cursor:
            try:
                cursor.execute(f"SELECT * FROM {_quoted(name)} LIMIT 0")  # noqa: S608 - a known table
            except pymysql.ProgrammingError as error:
                if error.args[0] != ER.NO_SUCH_TABLE:
                    raise
                self._tell(Level.NOTE, "table_missing", f"the table {name} is missing")
                return None
            columns = {column[0]: int(column[1]) for column in cursor.description or ()}
        for missing in sorted(set(SCHEMA[name]) - columns.keys()):
            self._tell(Level.NOTE, "column_missing", f"the table {name} has no column {missing}")
        for column in (column for column in SCHEMA[name] if columns.get(column) == FIELD_TYPE.DATETIME):
            self._tell(Level.NOTE, "time_zone", no_zone(name, column, self._reading))
        key = next((key for key in _FALLBACK_KEYS[name] if key in columns), None)
        if key is None:
            self._tell(Level.REJECTED, "no_key", f"the table {name} has no column to tell its rows apart")
            return None
        return Table(name, key, columns)

    def _count(self, table: Table) -> int:
        with closing(self._connection.cursor()) as cursor:
            try:
                cursor.execute(f"SELECT COUNT(*) FROM {_quoted(table.name)}")  # noqa: S608 - a known table
            except pymysql.MySQLError as error:
                if error.args[0] not in _TIMED_OUT:
                    raise
                return 0
            return int((cursor.fetchone() or (0,))[0])

    def _rows_of(self, table: Table) -> Iterator[Row]:
        """Range after range of keys. Keys that are equal to the table's own collation are never torn apart."""
        lower: Any = None
        while True:
            upper = self._boundary(table, lower)
            yield from self._range(table, lower, upper)
            if upper is None:
                return
            lower = upper

    def _boundary(self, table: Table, lower: Any) -> Any:
        """The key some rows on; None where fewer are left."""
        key, above = _quoted(table.key), "" if lower is None else f"WHERE {_quoted(table.key)} > %s"
        statement = f"SELECT {key} FROM {_quoted(table.name)} {above} ORDER BY {key} LIMIT 1 OFFSET {ROWS_AT_ONCE}"  # noqa: S608
        with closing(self._connection.cursor()) as cursor:
            cursor.execute(statement, () if lower is None else (lower,))
            found = cursor.fetchone()
        return None if found is None or found[0] is None else _parameter(found[0], table.columns[table.key])

    def _range(self, table: Table, lower: Any, upper: Any) -> Iterator[Row]:
        key = _quoted(table.key)
        above = f"{key} > %s" if lower is not None else "TRUE"
        below = f"{key} <= %s" if upper is not None else "TRUE"
        unknown = f"OR {key} IS NULL" if lower is None else ""
        given = tuple(bound for bound in (lower, upper) if bound is not None)
        where = f"WHERE ({above} AND {below}) {unknown} ORDER BY {key}"
        with closing(self._connection.cursor(SSCursor)) as cursor:
            cursor.execute(f"SELECT {self._selected(table)} FROM {_quoted(table.name)} {where}", given)  # noqa: S608
            for *values, size in cursor:
                found = dict(zip(table.columns, values, strict=True))
                if int(size) > self._reading.limits.document_bytes:
                    self._tell_too_large(table, found, int(size))
                else:
                    yield self.row(table.name, found)

    def _selected(self, table: Table) -> str:
        """The columns, and how long the row is: what is too long stays on the server."""
        long = [_quoted(name) for name, kind in table.columns.items() if kind in _LONG]
        size = " + ".join(f"COALESCE(OCTET_LENGTH({name}), 0)" for name in long) or "0"
        fits = f"({size}) <= {self._reading.limits.document_bytes}"
        names = [_quoted(name) for name in table.columns]
        return ", ".join([*(f"IF({fits}, {name}, NULL)" if name in long else name for name in names), size])

    def _tell_too_large(self, table: Table, values: dict[str, Value], size: int) -> None:
        key = (values[table.key] or b"").decode("utf-8", "replace")
        detail = f"{size} bytes are more than {self._reading.limits.document_bytes}"
        place = self._place.at_row(table.name, key)
        self._reading.report(Finding(Level.REJECTED, "too_large", place, detail, KINDS[table.name]))

    def _tell(self, level: Level, code: str, detail: str) -> None:
        self._reading.report(Finding(level, code, self._place, detail, "file"))

    def _words(self, error: Exception) -> str:
        """What went wrong, without the password. A statement that took too long says what would help."""
        number, *words = error.args or ("",)
        text = self._url.without_secrets(str(words[0] if words else number) or type(error).__name__)
        if number in _TIMED_OUT:
            return f"{text}; QUERY_TIMEOUT is {self._reading.limits.query_seconds:g} seconds"
        return text


def _arguments(url: URL, reading: Reading) -> dict[str, Any]:
    """What PyMySQL is told. Without decoders every value comes as the text that a dump would have."""
    parts = urlsplit(url.text)
    database = unquote(parts.path.removeprefix("/"))
    if not database:
        raise ValueError("the URL names no database, as mysql://user@host:3306/database does")
    seconds = reading.limits.query_seconds
    return {
        "host": parts.hostname or "localhost",
        "port": parts.port or DEFAULT_PORT,
        "user": unquote(parts.username or ""),
        # PyMySQL would write a text in Latin-1, which not every password can be.
        "password": unquote(parts.password or "").encode(),
        "database": database,
        "charset": "utf8mb4",
        "use_unicode": False,
        "conv": dict(encoders),
        "autocommit": None,
        "local_infile": False,
        "connect_timeout": max(1, int(reading.limits.connect_seconds)),
        "read_timeout": seconds + SECONDS_BEYOND if seconds else None,
        "write_timeout": seconds + SECONDS_BEYOND if seconds else None,
    }


def _quoted(name: str) -> str:
    """A name as a part of a statement that is given parameters."""
    return f"`{name.replace('`', '``').replace('%', '%%')}`"


def _parameter(value: bytes, kind: int) -> Any:
    """A key as it has to be compared: as a number, or as a text in the column's own collation."""
    if kind in _INTEGERS:
        return int(value)
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return value
