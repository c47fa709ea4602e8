"""Reads dumps or a server: sessions as they come, messages in the order of their times, then as they stand."""

import sqlite3
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager, suppress
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import cast

import msgspec

from backups_app.legacy.files import FoundFile, Unreadable, files_at, open_unpacked
from backups_app.legacy.listing import files_listed
from backups_app.legacy.locations import URL, Location
from backups_app.legacy.mysql_chat.rows import BadRow, message_of, session_of
from backups_app.legacy.mysql_chat.server import Server
from backups_app.legacy.mysql_chat.statements import SCHEMA, Dump, Row, Value
from backups_app.legacy.session_payloads.sessions import sealed
from backups_app.legacy.times import EPOCH, stamp_of, stamped
from backups_app.legacy.types import (
    NO_SERVER,
    Finding,
    LegacyItem,
    LegacyRecord,
    LegacySession,
    Level,
    Limits,
    Place,
    Reading,
)

ENDINGS = (".sql", ".sql.gz")
SCHEMES = ("mysql", "mariadb")
LOOKED_AT = 20
LOOKED_INTO = 1024 * 1024
# The messages of a dump stand in the order of their ids. They are put in order outside of memory. What a server has is
# fetched before anything is brought in, so that it never waits for us with its snapshot and its answer.
_SPOOL = """
CREATE TABLE session (session_id TEXT PRIMARY KEY, begun INTEGER) WITHOUT ROWID;
CREATE TABLE fetched (number INTEGER PRIMARY KEY, content BLOB);
CREATE TABLE message (number INTEGER PRIMARY KEY, session_id TEXT, moment INTEGER, record BLOB);
"""
_IN_ORDER = """
SELECT record, coalesce(moment, begun), moment IS NULL FROM message LEFT JOIN session USING (session_id)
ORDER BY session_id, coalesce(moment, begun, 0) >> 1, number
"""


def looks_like_mysql_chat(root: Path) -> bool:
    """Whether one of the first dumps at the path speaks of the chat tables near its beginning."""
    found = (entry for entry in files_at(root) if isinstance(entry, FoundFile) and _is_dump(entry))
    return any(_speaks_of_chat(file) for file in islice(found, LOOKED_AT))


def _speaks_of_chat(file: FoundFile) -> bool:
    with suppress(Unreadable), open_unpacked(file.path, Limits().unpack_ratio) as opened:
        begun = opened.read(LOOKED_INTO)
        return any(table.encode() in begun for table in SCHEMA)
    return False


def _is_dump(file: FoundFile) -> bool:
    return file.name.endswith(ENDINGS)


class MySQLChat:
    """The dumps of a folder, one dump, or the URL of a server. `bytes_read` of `bytes` tells how far the reading is."""

    def __init__(self, root: Location, reading: Reading) -> None:
        """List the files; nothing is opened yet."""
        self.reading = reading
        self._url = root if isinstance(root, URL) else None
        self._files, self._skipped = ([], []) if isinstance(root, URL) else files_listed(root, _is_dump, "not a dump")
        self.bytes = sum(file.size for file in self._files)
        self.bytes_read = 0

    def items(self) -> Generator[LegacyItem, None, None]:
        """Everything, dump by dump: its sessions as they come, then its messages."""
        for finding in self._skipped:
            self.reading.report(finding)
        if self._url is not None:
            with _spool() as spool:
                yield from self._server(self._url, spool)
                yield from self._messages(spool)
        for file in self._files:
            with _spool() as spool:
                yield from self._dump(file, spool)
                yield from self._messages(spool)

    def _server(self, url: URL, spool: sqlite3.Connection) -> Iterator[LegacyItem]:
        """The sessions of a server, once all that it has is here; its messages go to the spool."""
        try:
            server = Server(url, self.reading)
        except Unreadable as error:
            self.reading.report(Finding(Level.REJECTED, NO_SERVER, Place(url.shown), str(error), "file"))
            return
        with closing(server):
            # The unit of progress is a row here.
            self.bytes = server.count
            for row in server.rows():
                self.bytes_read += 1
                if row.table == "chat_messages":
                    yield from self._row(row, url.shown, spool)
                else:
                    packed = msgspec.msgpack.encode(row.values)
                    spool.execute("INSERT INTO fetched (content) VALUES (?)", (packed,))
        for (packed,) in spool.execute("SELECT content FROM fetched ORDER BY number"):
            values = msgspec.msgpack.decode(packed, type=dict[str, Value])
            yield from self._row(server.row("chat_sessions", values), url.shown, spool)

    def _dump(self, file: FoundFile, spool: sqlite3.Connection) -> Iterator[LegacyItem]:
        """The sessions of a dump; its messages go to the spool."""
        before = self.bytes_read
        try:
            with open_unpacked(file.path, self.reading.limits.unpack_ratio) as opened:
                dump = Dump(opened, file.name, self.reading)
                for row in dump.rows():
                    yield from self._row(row, file.name, spool)
                    self.bytes_read = before + min(dump.tokens.bytes_read, file.size)
                self._note_zone(dump, file)
        except Unreadable as error:
            self.reading.report(Finding(Level.REJECTED, "unreadable", Place(file.name), str(error), "file"))
        self.bytes_read = before + file.size

    def _row(self, row: Row, path: str, spool: sqlite3.Connection) -> Iterator[LegacyItem]:
        if row.table == "chat_messages":
            record, moment = message_of(row, path, self.reading)
            values = (record.session_id, _stamp(moment), msgspec.msgpack.encode(record))
            spool.execute("INSERT INTO message (session_id, moment, record) VALUES (?, ?, ?)", values)
            return
        try:
            session = session_of(row, path, self.reading)
        except BadRow as error:
            place = Place(path, row.line, row.table)
            self.reading.report(Finding(Level.REJECTED, "bad_session_id", place, str(error), "session"))
            return
        begun = (session.session_id, _stamp(session.created_at))
        spool.execute("INSERT OR REPLACE INTO session VALUES (?, ?)", begun)
        yield from self._finished(session)

    def _finished(self, session: LegacySession) -> Iterator[LegacyItem]:
        if session.created_at is None:
            session.created_at = session.updated_at = EPOCH
            session.repaired = True
            detail = "the session names no time at all; 1970 stands in"
            self.reading.report(Finding(Level.REPAIRED, "no_time", session.place, detail, "session"))
        config = sealed(session)
        yield session
        if config is not None:
            yield config

    def _messages(self, spool: sqlite3.Connection) -> Iterator[LegacyRecord]:
        for packed, stamp, is_timeless in spool.execute(_IN_ORDER):
            record = cast("LegacyRecord", msgspec.msgpack.decode(packed, type=LegacyRecord))
            record.timestamp = EPOCH if stamp is None else stamped(stamp)
            if is_timeless:
                detail = f"the message has no time; {record.timestamp.isoformat()}, the start of its session, stands in"
                self.reading.report(Finding(Level.NOTE, "no_time", record.place, detail, "message"))
            yield record

    def _note_zone(self, dump: Dump, file: FoundFile) -> None:
        if not dump.zone_is_stated():
            detail = f"the dump names no time zone; its times are taken to be of {self.reading.zone}"
            self.reading.report(Finding(Level.NOTE, "time_zone", Place(file.name), detail, "file"))


@contextmanager
def _spool() -> Iterator[sqlite3.Connection]:
    # An empty name is a private file of SQLite's own, which is gone when it is closed.
    with closing(sqlite3.connect("", check_same_thread=False, isolation_level=None)) as spool:
        spool.executescript(f"{_SPOOL}PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; BEGIN;")
        yield spool


def _stamp(moment: datetime | None) -> int | None:
    return None if moment is None else stamp_of(moment)
