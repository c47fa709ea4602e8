"""Reads a key-value store: all its keys onto a shelf first, then settings, sessions, and what happened in them."""

from collections.abc import Generator, Iterator
from datetime import datetime

from backups_app.legacy.blueplan.claims import claims_take, failed_claims_tell
from backups_app.legacy.blueplan.configs import config_of
from backups_app.legacy.blueplan.entries import Entry, category_of
from backups_app.legacy.blueplan.messages import messages_of, with_tool_calls
from backups_app.legacy.blueplan.network import RedisSource
from backups_app.legacy.blueplan.sessions import placeholder_of, session_of
from backups_app.legacy.blueplan.shelf import Shelf
from backups_app.legacy.blueplan.sources import file_entries, rank, skip
from backups_app.legacy.blueplan.usage import SUMS, sums_compare, usage_of
from backups_app.legacy.files import FoundFile, NotFollowed, Unreadable, files_at
from backups_app.legacy.locations import URL, Location
from backups_app.legacy.session_payloads.sessions import sealed
from backups_app.legacy.times import EPOCH
from backups_app.legacy.types import NO_SERVER, Finding, LegacyItem, LegacyRecord, LegacySession, Level, Place, Reading

_NAMED_FOREIGN_KEYS = 100
CHUNK_RECORDS = 1000
CHUNK_SESSIONS = 200
SCHEMES = ("redis", "rediss")


class BluePlan:
    """One store: a folder with any of its forms, one dump or backup, or the URL of a Redis."""

    def __init__(self, root: Location, reading: Reading) -> None:
        """List the files; nothing is opened yet."""
        self.reading = reading
        self._url = root if isinstance(root, URL) else None
        self._files: list[FoundFile] = []
        self._foreign = 0
        self.bytes = self.bytes_read = 0
        for entry in () if isinstance(root, URL) else files_at(root):
            if isinstance(entry, NotFollowed):
                skip(entry.name, "not_followed", entry.why, reading)
            else:
                self._files.append(entry)
                self.bytes += entry.size

    def items(self) -> Generator[LegacyItem, None, None]:
        """Everything in the store: settings, sessions, then conversations and uses of tokens."""
        with Shelf(self.reading.limits.depth) as shelf:
            self._fill(shelf)
            yield from self._configs(shelf)
            yield from self._sessions(shelf)
            claims_take(shelf, self.reading)
            yield from self._conversations(shelf)
            yield from self._uses(shelf)
            failed_claims_tell(shelf, self.reading)
            for category in SUMS:
                for versions in shelf.groups(category):
                    sums_compare(category, versions, shelf, self.reading)

    def _fill(self, shelf: Shelf) -> None:
        """Put all keys on the shelf: what lives first, then the dumps, then the old backups."""
        if self._url is not None:
            self._fill_from_server(self._url, shelf)
        for file in sorted(self._files, key=rank):
            for entry in file_entries(file, self.reading):
                if category_of(entry.key):
                    shelf.add(entry)
                else:
                    self._tell_foreign(entry.key, entry.place)
            self.bytes_read += file.size
        for path, count in shelf.repeated.items():
            detail = f"{count} keys say what another place says of them"
            self.reading.report(Finding(Level.NOTE, "same_keys", Place(path), detail, "file"))
        if self._foreign > _NAMED_FOREIGN_KEYS:
            detail = f"{self._foreign} keys are not the store's; the first {_NAMED_FOREIGN_KEYS} were named"
            self.reading.report(Finding(Level.NOTE, "foreign_keys", Place(""), detail, "file"))

    def _fill_from_server(self, url: URL, shelf: Shelf) -> None:
        try:
            source = RedisSource(url, self.reading)
        except Unreadable as error:
            self.reading.report(Finding(Level.REJECTED, NO_SERVER, Place(url.shown), str(error), "file"))
            return
        # The unit of progress is a key here.
        self.bytes = source.count
        try:
            for entry in source.entries():
                if isinstance(entry, Entry):
                    shelf.add(entry)
                else:
                    self._tell_foreign(entry, Place(url.shown))
                self.bytes_read += 1
        finally:
            source.close()

    def _configs(self, shelf: Shelf) -> Iterator[LegacyItem]:
        for category in ("config", "config_backup"):
            for versions in shelf.groups(category):
                config = config_of(category, versions, self.reading)
                if config is not None:
                    yield config

    def _sessions(self, shelf: Shelf) -> Iterator[LegacyItem]:
        for versions in shelf.groups("session"):
            session = session_of(versions, self.reading)
            if session is None:
                continue
            if session.created_at is None:
                session.created_at = session.updated_at = EPOCH
                session.repaired = True
                detail = "the session names no time at all; 1970 stands in"
                self.reading.report(Finding(Level.REPAIRED, "no_time", session.place, detail, "session"))
            shelf.note_session(session.session_id, session.user_id, session.created_at)
            config = sealed(session)
            yield session
            if config is not None:
                yield config

    def _conversations(self, shelf: Shelf) -> Iterator[LegacyItem]:
        """The conversations, some at a time: the sessions that have expired, then the messages."""
        sessions: list[LegacySession] = []
        waiting: list[LegacyRecord] = []
        for versions in shelf.groups("conversation"):
            session_id = versions[0].rest
            known = shelf.session(session_id)
            records = messages_of(versions, known and known[1], self.reading)
            # Of what may be a large value, the messages are enough to hold.
            versions.clear()
            if known is None and records:
                sessions.append(self._orphan(session_id, "", records, shelf))
            waiting += records
            if len(waiting) >= CHUNK_RECORDS or len(sessions) >= CHUNK_SESSIONS:
                yield from self._yielded(sessions, waiting)
                sessions, waiting = [], []
        yield from self._yielded(sessions, waiting)

    def _yielded(self, sessions: list[LegacySession], waiting: list[LegacyRecord]) -> Iterator[LegacyItem]:
        yield from sessions
        yield from with_tool_calls(waiting, self.reading)

    def _orphan(self, session_id: str, user_id: str, records: list[LegacyRecord], shelf: Shelf) -> LegacySession:
        begun: datetime = min(record.timestamp for record in records)
        user = user_id or shelf.claimant(session_id)
        shelf.note_session(session_id, user, begun)
        return placeholder_of(session_id, user, begun, records[0].place, self.reading)

    def _uses(self, shelf: Shelf) -> Iterator[LegacyItem]:
        """The uses of tokens, some at a time, after the sessions of which nothing else is left."""
        sessions: dict[str, LegacySession] = {}
        waiting: list[LegacyRecord] = []
        for versions in shelf.groups("token_usage"):
            record = usage_of(versions, shelf, self.reading)
            if record is None:
                continue
            if shelf.session(record.session_id) is None:
                user = str(record.fields["user_id"])
                sessions[record.session_id] = self._orphan(record.session_id, user, [record], shelf)
            waiting.append(record)
            if len(waiting) >= CHUNK_RECORDS:
                yield from sessions.values()
                yield from waiting
                sessions, waiting = {}, []
        yield from sessions.values()
        yield from waiting

    def _tell_foreign(self, key: str, place: Place) -> None:
        self._foreign += 1
        if self._foreign <= _NAMED_FOREIGN_KEYS:
            detail = f"the key {key!r:.200} is not the store's, and left alone"
            self.reading.report(Finding(Level.SKIPPED, "foreign_key", place, detail, "entry"))
