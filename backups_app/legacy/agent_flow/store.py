"""Reads a store of document 002: its databases one after another, each from a private copy."""

from collections.abc import Generator
from pathlib import Path

from backups_app.legacy.agent_flow.database import KINDS, Database
from backups_app.legacy.agent_flow.survey import Survey, survey
from backups_app.legacy.files import FoundFile, Unreadable
from backups_app.legacy.sqlite_copy import open_copy
from backups_app.legacy.types import Finding, LegacyItem, Level, Place, Reading


class AgentFlow:
    """One folder, or one database, to be read once. `bytes_read` of `bytes` tells how far the reading is."""

    def __init__(self, root: Path, reading: Reading) -> None:
        """List the files; no database is opened yet."""
        self.reading = reading
        self.files: Survey = survey(root)
        self.bytes = sum(file.size for file in self.files.databases)
        self.bytes_read = 0

    def items(self) -> Generator[LegacyItem, None, None]:
        """Everything, database by database. Nothing that a file holds makes this raise."""
        for finding in self.files.told:
            self.reading.report(finding)
        if not self.files.databases:
            self._reject("", "no_database", "there is no database to be read")
        for file in self.files.databases:
            yield from self._database(file)
            self.bytes_read += file.size

    def _database(self, file: FoundFile) -> Generator[LegacyItem, None, None]:
        try:
            with open_copy(file.path, tuple(KINDS), self.reading.limits) as copy:
                if copy.tables:
                    yield from Database(copy, file.name, self.reading).items()
                else:
                    self._reject(file.name, "database", "none of the expected tables is in it")
        except Unreadable as error:
            self._reject(file.name, "database", str(error))

    def _reject(self, path: str, code: str, detail: str) -> None:
        self.reading.report(Finding(Level.REJECTED, code, Place(path), detail, "file"))
