"""Reads the rows of INSERT and REPLACE statements out of a dump; every other statement is told or passed over."""

import re
from collections.abc import Iterator
from datetime import tzinfo
from typing import IO
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from msgspec import Struct

from backups_app.legacy.mysql_chat.tokens import CutDump, Token, Tokens, unquoted
from backups_app.legacy.times import zone_of_offset
from backups_app.legacy.types import Finding, Level, Place, Reading

Value = bytes | None
SCHEMA = {
    "chat_sessions": (
        "session_id", "user_id", "title", "created_at", "updated_at", "context", "ragflow_session_id",
    ),
    "chat_messages": ("id", "session_id", "role", "content", "timestamp"),
}  # fmt: skip
KINDS = {"chat_sessions": "session", "chat_messages": "message"}
_USUAL = frozenset({"SET", "LOCK", "UNLOCK", "USE", "COMMIT", "BEGIN", "START"})
_CLIENT = frozenset({"SOURCE", "SYSTEM", "TEE", "NOTEE", "PAGER", "NOPAGER", "EDIT", "CONNECT"})
_NO_COLUMN = frozenset({"PRIMARY", "KEY", "UNIQUE", "CONSTRAINT", "INDEX", "CHECK", "FOREIGN", "FULLTEXT", "SPATIAL"})
_ZONE = re.compile(rb"TIME_ZONE\s*=\s*(?:'([^']*)'|\"([^\"]*)\")", re.IGNORECASE)
_IN_COMMENT = re.compile(rb"/\*M?!\d*\s*(.*?)\s*\*/", re.DOTALL)
_HARMLESS = re.compile(rb"(SET\b|\\-|ALTER\s+TABLE\s+\S+\s+(EN|DIS)ABLE\s+KEYS$|CREATE\s+DATABASE\b|$)", re.IGNORECASE)
WORDS_TOLD = 3
# MySQL has no table with more.
MOST_COLUMNS = 4096


class Row(Struct):
    """One row: its table, its values by column, the line of a dump on which it begins, and the zone of its times.

    Without a zone, and in the columns `stated`, times are of the zone that was stated for the reading.
    """

    table: str
    values: dict[str, Value]
    line: int | None
    zone: tzinfo | None
    stated: frozenset[str] = frozenset()


def no_zone(table: str, column: str, reading: Reading) -> str:
    """What is told of a column of type DATETIME: the server keeps it as it was written, wherever that was."""
    return f"{table}.{column} is a DATETIME, which has no zone; its times are taken to be of {reading.zone}"


class _BadRow(Exception):
    """A row that holds something else than values."""


class Dump:
    """One dump being read."""

    def __init__(self, file: IO[bytes], path: str, reading: Reading) -> None:
        """`path` is what the findings call the file."""
        self.tokens = Tokens(file, reading.limits.document_bytes)
        self._path = path
        self._reading = reading
        self._zone: tzinfo | None = None
        self._columns: dict[str, tuple[str, ...]] = dict(SCHEMA)
        self._stated: dict[str, frozenset[str]] = {}
        self._delimiter = b";"
        self._headed = self._completed = False
        self._zone_told = False
        self._unknown: set[str] = set()

    def rows(self) -> Iterator[Row]:
        """The rows of the two tables, in the order of the file. A dump that was cut is told of at its end."""
        try:
            for token in self.tokens:
                yield from self._statement(token)
        except CutDump as error:
            self._tell(Level.REJECTED, "incomplete_dump", f"the dump ends {error}", self.tokens.line)
            return
        if self._headed and not self._completed:
            detail = "the dump does not end with 'Dump completed'"
            self._tell(Level.REJECTED, "incomplete_dump", detail, self.tokens.line)

    def _statement(self, first: Token) -> Iterator[Row]:
        if first.kind == "comment":
            self._headed = self._headed or first.data.startswith((b"-- MySQL dump", b"-- MariaDB dump"))
            self._completed = self._completed or first.data.startswith(b"-- Dump completed")
        elif first.kind == "conditional":
            self._conditional(first)
        elif first.data == b"\\" or first.word in _CLIENT:
            self.tokens.rest_of_line()
            self._other(first, [first.word or "a command of the client"])
        elif first.word == "DELIMITER":
            self._delimiter = self.tokens.rest_of_line().strip() or b";"
        elif self._delimiter != b";":
            text = first.data + self.tokens.until(self._delimiter)
            self._other(first, [word.decode("ascii", "replace") for word in text.split()[:WORDS_TOLD]])
        elif first.word in ("INSERT", "REPLACE"):
            yield from self._insert(first)
        elif first.data != b";":
            self._plain_statement(first)

    def _conditional(self, token: Token) -> None:
        """What MySQL would run although it stands in a comment."""
        found = _IN_COMMENT.fullmatch(token.data)
        inside = found[1] if found else b""
        if inside[:3].upper() == b"SET":
            self._zone_set(inside, token)
        if not _HARMLESS.match(inside):
            self._other(token, [word.decode("ascii", "replace") for word in inside.split()[:WORDS_TOLD]])

    def _plain_statement(self, first: Token) -> None:
        tokens = [first, *self._to_end(keep=1000)]
        words = [token.word for token in tokens]
        if first.word == "CREATE" and words[1:2] == ["TABLE"]:
            self._create(tokens)
        elif first.word == "SET":
            self._zone_set(b" ".join(token.data for token in tokens), first)
        elif first.word not in _USUAL and not self._is_usual(tokens):
            told = [token.word for token in tokens[:WORDS_TOLD] if token.word]
            self._other(first, told or ["a statement that begins with no word"])

    @staticmethod
    def _is_usual(tokens: list[Token]) -> bool:
        """What belongs to every dump: the old table makes room, the database is made, keys wait for the rows."""
        words = [token.word for token in tokens]
        if words[:2] == ["DROP", "TABLE"]:
            return any(_name(token) in SCHEMA for token in tokens)
        return words[:2] == ["CREATE", "DATABASE"] or (words[:2] == ["ALTER", "TABLE"] and words[-1:] == ["KEYS"])

    def _create(self, tokens: list[Token]) -> None:
        """The columns of a table, in their order, for rows that name none."""
        opened = next((number for number, token in enumerate(tokens) if token.data == b"("), None)
        if opened is None:
            return
        table = next((_name(token) for token in reversed(tokens[:opened]) if _name(token)), "")
        columns, stated, depth, begins = [], set(), 0, False
        for token, following in zip(tokens[opened:], [*tokens[opened + 1 :], None], strict=True):
            depth += (token.data == b"(") - (token.data == b")")
            if begins and _name(token) and token.word not in _NO_COLUMN:
                columns.append(_name(token))
                if following is not None and following.word == "DATETIME":
                    stated.add(_name(token))
            begins = depth == 1 and token.data in (b"(", b",")
        if table in SCHEMA and columns:
            self._columns[table], self._stated[table] = tuple(columns), frozenset(stated)
            for column in (column for column in SCHEMA[table] if column in stated):
                self._tell(Level.NOTE, "time_zone", no_zone(table, column, self._reading), tokens[0].line)

    def _insert(self, first: Token) -> Iterator[Row]:
        table, columns = "", []
        for token in self.tokens:
            if token.data == b";":
                return
            if token.word in ("VALUES", "VALUE"):
                break
            if token.word in ("SELECT", "SET"):
                self._other(first, [first.word, table, token.word])
                self._skip_to_end()
                return
            if token.data == b"(":
                columns = self._names()
            elif _name(token) and token.word not in _BEFORE_NAME:
                table = _name(token)
        if table in SCHEMA:
            yield from self._rows(table, tuple(columns) or self._columns[table])
            return
        if table not in self._unknown:
            self._unknown.add(table)
            self._tell(Level.SKIPPED, "unknown_table", f"rows of the table {table!r:.100} are not read", first.line)
        self._skip_to_end()

    def _names(self) -> list[str]:
        found: list[str] = []
        for token in self.tokens:
            if token.data == b")":
                break
            if _name(token) and len(found) < MOST_COLUMNS:
                found.append(_name(token))
        return found

    def _rows(self, table: str, columns: tuple[str, ...]) -> Iterator[Row]:
        for token in self.tokens:
            if token.data == b";":
                return
            if token.data == b"(":
                try:
                    values = self._values()
                    if len(values) != len(columns):
                        raise _BadRow(f"{len(values)} values for {len(columns)} columns")
                except _BadRow as error:
                    self._tell(Level.REJECTED, "bad_row", str(error), token.line, table)
                    continue
                found = dict(zip(columns, values, strict=True))
                yield Row(table, found, token.line, self._zone, self._stated.get(table, frozenset()))
            elif token.data != b",":
                self._skip_to_end()
                return
        raise CutDump("inside of a statement")

    def _values(self) -> list[Value]:
        """The values of a row, whose `(` is read. What is no value is read to the row's end and refused."""
        values: list[Value] = []
        bad, depth, prefix = "", 1, ""
        for token in self.tokens:
            depth += (token.data == b"(") - (token.data == b")")
            if depth == 0:
                if bad:
                    raise _BadRow(bad)
                return values
            if len(values) >= MOST_COLUMNS:
                bad = f"more than {MOST_COLUMNS} values"
            elif token.kind in ("text", "hex", "number"):
                values.append(_value(token, prefix))
                prefix = ""
            elif token.word in ("NULL", "TRUE", "FALSE"):
                values.append({"NULL": None, "TRUE": b"1", "FALSE": b"0"}[token.word])
            elif token.word == "X" or token.word.startswith("_"):
                prefix = token.word
            elif token.data != b",":
                bad = bad or f"{token.data.decode('utf-8', 'replace')!r:.60} is no value"
        raise CutDump("inside of a row")

    def _to_end(self, keep: int) -> list[Token]:
        """The tokens up to the end of the statement, at most `keep` of them."""
        found: list[Token] = []
        for token in self.tokens:
            if token.data == b";":
                return found
            if len(found) < keep:
                found.append(token)
        raise CutDump("inside of a statement")

    def _skip_to_end(self) -> None:
        self._to_end(keep=0)

    def _zone_set(self, text: bytes, token: Token) -> None:
        found = _ZONE.search(text)
        if found is None:
            return
        name = (found[1] or found[2] or b"").decode("ascii", "replace")
        zone = zone_named(name)
        if zone is None:
            detail = f"the time zone {name!r:.100} is not known; {self._reading.zone} is taken"
            self._tell(Level.NOTE, "time_zone", detail, token.line)
        self._zone = zone
        self._zone_told = True

    def zone_is_stated(self) -> bool:
        """Whether the dump named the zone of its times."""
        return self._zone_told

    def _other(self, token: Token, words: list[str]) -> None:
        told = " ".join(word for word in words if word)
        self._tell(Level.SKIPPED, "statement", f"not run and not needed: {told:.100}", token.line)

    def _tell(self, level: Level, code: str, detail: str, line: int, kind: str = "file") -> None:
        self._reading.report(Finding(level, code, Place(self._path, line), detail, KINDS.get(kind, kind)))


_BEFORE_NAME = frozenset({"INTO", "IGNORE", "DELAYED", "LOW_PRIORITY", "HIGH_PRIORITY"})


def _name(token: Token) -> str:
    """The name that a token is, of a table or a column; empty for any other token.

    A dump made with `--compatible=ansi` has its names in double quotes, in which other dumps have texts.
    """
    if token.kind == "name" or token.data[:1] == b'"':
        quote = token.data[:1]
        return token.data[1:-1].replace(quote * 2, quote).decode("utf-8", "replace")
    return token.data.decode("utf-8", "replace") if token.kind == "word" else ""


def _value(token: Token, prefix: str) -> bytes:
    if token.kind == "number":
        return token.data
    data = unquoted(token)
    if prefix != "X":
        return data
    try:
        return bytes.fromhex(data.decode("ascii"))
    except ValueError as error:
        raise _BadRow("X'...' holds no hexadecimal digits") from error


def zone_named(name: str) -> tzinfo | None:
    """A zone as MySQL names it: `+08:00` or `Asia/Shanghai`; None for SYSTEM and what is not known."""
    offset = zone_of_offset(name)
    if offset is not None:
        return offset
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None
