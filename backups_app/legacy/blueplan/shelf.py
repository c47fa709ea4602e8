"""Holds all keys of a store outside of memory, each once, with every other version that a dump or backup has of it."""

import sqlite3
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from itertools import groupby
from typing import NamedTuple, Self

from backups_app.legacy.blueplan.entries import BadValue, Entry, category_of, value_of
from backups_app.legacy.times import stamp_of, stamped
from backups_app.legacy.types import Place

# An empty name is a private file of SQLite's own, which is gone when it is closed.
_PRIVATE = ""
_SCHEMA = """
CREATE TABLE entry (number INTEGER PRIMARY KEY, category TEXT, rest TEXT, path TEXT, line INTEGER, tab TEXT, key TEXT,
    data BLOB);
CREATE INDEX entry_by_key ON entry (category, rest, number);
CREATE TABLE session (session_id TEXT PRIMARY KEY, user_id TEXT, begun INTEGER) WITHOUT ROWID;
CREATE TABLE claim (session_id TEXT, user_id TEXT, path TEXT, line INTEGER, PRIMARY KEY (session_id, user_id))
    WITHOUT ROWID;
CREATE TABLE used (session_id TEXT, user_id TEXT, day TEXT, model TEXT, tokens INTEGER);
CREATE INDEX used_by_session ON used (session_id);
CREATE INDEX used_by_user ON used (user_id, day);
CREATE INDEX used_by_day ON used (day);
PRAGMA journal_mode = OFF;
PRAGMA synchronous = OFF;
BEGIN;
"""
_COLUMNS = "category, rest, path, line, tab, key"


# A key with more colons than this is nobody's work.
MOST_PARTS = 40


class Version(NamedTuple):
    """What one place says under a key."""

    rest: str
    data: bytes
    place: Place


class Shelf:
    """The keys of one store. `repeated` counts by path how many keys say what a place before says already."""

    def __init__(self, depth: int) -> None:
        """`depth` bounds the nesting of values that have to be compared."""
        self._depth = depth
        self.repeated: Counter[str] = Counter()
        self._base = sqlite3.connect(_PRIVATE, check_same_thread=False, isolation_level=None)

    def __enter__(self) -> Self:
        self._base.executescript(_SCHEMA)
        return self

    def __exit__(self, *_error: object) -> None:
        self._base.close()

    def add(self, entry: Entry) -> None:
        """Put a key on the shelf, unless it says nothing new. The key has to be one of the store's."""
        category = category_of(entry.key)
        rest = entry.key.partition(":")[2]
        if any(self._is_same(entry.data, found.data) for found in self._versions(category, rest)):
            self.repeated[entry.place.path] += 1
            return
        place = entry.place
        row = (category, rest, place.path, place.line, place.table, place.key, len(entry.data))
        # A bound value would be copied, and held with the statement: a large one is written straight to its place.
        made = self._base.execute(f"INSERT INTO entry ({_COLUMNS}, data) VALUES (?, ?, ?, ?, ?, ?, zeroblob(?))", row)  # noqa: S608 - constants
        if entry.data:
            with self._base.blobopen("entry", "data", made.lastrowid or 0) as blob:
                blob.write(entry.data)

    def _is_same(self, one: bytes, other: bytes) -> bool:
        if one == other:
            return True
        try:
            return bool(value_of(one, self._depth)[0] == value_of(other, self._depth)[0])
        except BadValue:
            return False

    def _versions(self, category: str | None, rest: str) -> list[Version]:
        query = "SELECT number FROM entry WHERE category = ? AND rest = ? ORDER BY number"
        numbers = self._base.execute(query, (category, rest)).fetchall()
        return [self._version(number) for (number,) in numbers]

    def groups(self, category: str) -> Iterator[list[Version]]:
        """The keys of a category in order, each with its versions: what was put on the shelf first comes first."""
        query = "SELECT rest, number FROM entry WHERE category = ? ORDER BY rest, number"
        rows = self._base.execute(query, (category,))
        for _rest, numbers in groupby(rows, lambda row: row[0]):
            yield [self._version(number) for _rest, number in numbers]

    def _version(self, number: int) -> Version:
        query = f"SELECT {_COLUMNS} FROM entry WHERE number = ?"  # noqa: S608 - constants
        _category, rest, path, line, table, key = self._base.execute(query, (number,)).fetchone()
        with self._base.blobopen("entry", "data", number, readonly=True) as blob:
            return Version(rest, blob.read(), Place(path, line, table, key))

    def note_session(self, session_id: str, user_id: str, begun: datetime | None) -> None:
        """Remember a session that is told of."""
        values = (session_id, user_id, begun and stamp_of(begun))
        self._base.execute("INSERT OR REPLACE INTO session VALUES (?, ?, ?)", values)

    def session(self, session_id: str) -> tuple[str, datetime | None] | None:
        """The user and the start of a session that is told of, else None."""
        found = self._base.execute("SELECT user_id, begun FROM session WHERE session_id = ?", (session_id,)).fetchone()
        return None if found is None else (found[0], None if found[1] is None else stamped(found[1]))

    def claim(self, session_id: str, user_id: str, place: Place) -> None:
        """Remember that a user's list names a session."""
        values = (session_id, user_id, place.path, place.line)
        self._base.execute("INSERT OR IGNORE INTO claim VALUES (?, ?, ?, ?)", values)

    def claimant(self, session_id: str) -> str:
        """The first user whose list names the session, or nobody."""
        query = "SELECT user_id FROM claim WHERE session_id = ? ORDER BY user_id LIMIT 1"
        found = self._base.execute(query, (session_id,)).fetchone()
        return found[0] if found else ""

    def claims_that_fail(self) -> Iterator[tuple[str, str, str | None, Place]]:
        """Session, claiming user, and the session's user where that is another one; None where there is no session."""
        query = (
            "SELECT claim.session_id, claim.user_id, session.user_id, path, line FROM claim"
            " LEFT JOIN session USING (session_id) WHERE session.user_id IS NOT claim.user_id"
            " ORDER BY claim.user_id, claim.session_id"
        )
        for session_id, claimant, owner, path, line in self._base.execute(query):
            yield session_id, claimant, owner, Place(path, line, "user_sessions", claimant)

    def note_use(self, session_id: str, user_id: str, day: str, model: str, tokens: int) -> None:
        """Remember a use of tokens, to be held against the old system's own sums."""
        self._base.execute("INSERT INTO used VALUES (?, ?, ?, ?, ?)", (session_id, user_id, day, model, tokens))

    def used(self, **of: str) -> dict[str, int]:
        """Tokens by model of what `of` (session_id, user_id, day) names."""
        where = " AND ".join(f"{column} = ?" for column in of)
        query = f"SELECT model, sum(tokens) FROM used WHERE {where} GROUP BY model"  # noqa: S608 - names of columns
        return dict(self._base.execute(query, tuple(of.values())))

    def known_session_in(self, parts: list[str]) -> tuple[int, int] | None:
        """Where in the parts of a key a known session id stands (the longest): its first part and the one behind it."""
        if len(parts) > MOST_PARTS:
            return None
        spans = sorted(
            ((begin, end) for begin in range(1, len(parts)) for end in range(begin + 1, len(parts) + 1)),
            key=lambda span: span[0] - span[1],
        )
        return next((span for span in spans if self.session(":".join(parts[slice(*span)]))), None)
