"""A database of the parser's own, for what does not fit into memory; it is gone when it is closed."""

import sqlite3
from typing import ClassVar, Self

# An empty name is a private file of SQLite's own.
_PRIVATE = ""
_IN_A_HURRY = "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; BEGIN;"


class PrivateBase:
    """A database with the tables of `SCHEMA`, open for as long as a `with` lasts."""

    SCHEMA: ClassVar[str]

    def __enter__(self) -> Self:
        self._base = sqlite3.connect(_PRIVATE, check_same_thread=False, isolation_level=None)
        self._base.executescript(self.SCHEMA + _IN_A_HURRY)
        return self

    def __exit__(self, *_error: object) -> None:
        self._base.close()
