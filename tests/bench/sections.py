"""The sections of the benchmark page: a title, and the module that measures it (`measure(work)` returns lines).

A section is imported when it is run: what it needs of Django is set up by then.
"""

import dataclasses
import platform
import sqlite3
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

SECTIONS = {
    "writes": "Recording from Python",
    "served": "Recording over HTTP",
    "extras": "Prices and events beside recording",
    "reads": "Reading a session",
    "size": "Bytes on disk",
    "comebacks": "Coming back to a session",
    "sums": "Sums of token usage",
    "wakes": "Jobs",
    "cleanups": "Cleaning up beside writers",
    # Before the backups: the peak of memory is that of the largest child so far.
    "imports": "Bringing in an old store",
    "backups": "Backing up and restoring",
    "peers": "Peers at the same work",
    # These fill the store with a million rows each, so they come last.
    "searches": "Searching what was said",
    "pages": "Pages of a large store",
    "counts": "Counting a million sessions",
}
_NAMES = {"sqlite": "SQLite", "postgresql": "PostgreSQL", "mysql": "MariaDB"}


@dataclass(frozen=True)
class Work:
    """How much to do, and where: a folder for files, an old store to import, and how many uses to sum, where given."""

    folder: Path
    store: str | None = None
    quick: bool = False
    rows: int | None = None

    def scaled(self, full: int, quick: int) -> int:
        """Return the number for this run."""
        return quick if self.quick else full


def measured(names: Iterable[str], work: Work) -> dict[str, list[dict[str, Any]]]:
    """Return the lines of the sections as plain dictionaries, by their titles with the database in it."""
    database = _database()
    found = {}
    for name, title in SECTIONS.items():
        if name not in names:
            continue
        begun = time.monotonic()
        if lines := import_module(f"tests.bench.{name}").measure(work):
            found[f"{title}, {database}"] = [dataclasses.asdict(line) for line in lines]
        print(f"{database}: {name} took {time.monotonic() - begun:.0f} s", file=sys.stderr, flush=True)
    return found


def _database() -> str:
    from django.db import connection

    connection.ensure_connection()
    version = ".".join(str(part) for part in connection.get_database_version())
    return f"{_NAMES[connection.vendor]} {version}"


def machine() -> str:
    """Return what the figures were measured on."""
    return (
        f"Python {platform.python_version()}, {platform.system()} {platform.machine()}, SQLite {sqlite3.sqlite_version}"
    )
