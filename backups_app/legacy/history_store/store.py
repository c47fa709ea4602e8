"""Reads a whole store of document 000: configuration, workflows, sessions, history, and the tables, in this order."""

import hashlib
from collections.abc import Generator, Iterator
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import TypeVar

from backups_app.legacy.files import CHUNK, FoundFile, Unreadable, open_plain
from backups_app.legacy.history_store.configs import WORKFLOWS, read_config, read_workflow
from backups_app.legacy.history_store.groups import GroupReader
from backups_app.legacy.history_store.merging import merge_session, merge_workflow
from backups_app.legacy.history_store.sessions import read_session
from backups_app.legacy.history_store.state_messages import has_messages, state_messages
from backups_app.legacy.history_store.survey import Survey, survey
from backups_app.legacy.history_store.tables import ROW_KINDS, Tables
from backups_app.legacy.sqlite_copy import open_copy
from backups_app.legacy.sqlite_files import SIDECAR_ENDINGS
from backups_app.legacy.types import (
    Finding,
    LegacyConfig,
    LegacyItem,
    LegacyRecord,
    LegacySession,
    LegacyWorkflow,
    Level,
    Place,
    Reading,
)

Item = TypeVar("Item")


class HistoryStore:
    """One store, to be read once. `bytes_read` of `bytes` tells how far the reading is."""

    def __init__(self, root: Path, reading: Reading) -> None:
        """Survey the folder; nothing is opened yet."""
        self.reading = reading
        self.files: Survey = survey(root)
        self.bytes = self.files.bytes
        self.bytes_read = 0
        self._begun: dict[str, datetime | None] = {}
        self._with_history: set[str] = set()
        self._without_history: list[tuple[str, FoundFile]] = []
        self._errors_seen: set[bytes] = set()

    def items(self) -> Generator[LegacyItem, None, None]:
        """Everything in the store: sessions come before their records, one session's records in time order.

        Findings go to `reading.report` as they are made. Nothing that a file holds makes this raise.
        """
        for finding in self.files.skipped:
            self.reading.report(finding)
        with ExitStack() as open_files:
            databases = list(self._open_databases(open_files))
            yield from self._configs(databases)
            yield from self._workflows(databases)
            yield from self._sessions(databases)
            yield from self._history()
            yield from self._state_messages()
            yield from self._facts_of_tables(databases)

    def _open_databases(self, open_files: ExitStack) -> Iterator[Tables]:
        seen: dict[bytes, str] = {}
        for file in self.files.databases:
            try:
                if self._is_known(file, seen):
                    continue
                copy = open_files.enter_context(open_copy(file.path, tuple(ROW_KINDS), self.reading.limits))
            except Unreadable as error:
                self._reject(file.name, "database", str(error))
                continue
            self.bytes_read += file.size
            if not copy.tables:
                self._reject(file.name, "database", "none of the expected tables is in it")
                continue
            for missing in sorted(ROW_KINDS.keys() - copy.tables):
                detail = f"the table {missing} is missing"
                self.reading.report(Finding(Level.NOTE, "table_missing", Place(file.name), detail, "file"))
            yield Tables(copy, path=file.name, stem=PurePosixPath(file.name).stem, reading=self.reading)

    def _is_known(self, file: FoundFile, seen: dict[bytes, str]) -> bool:
        """Whether a database is byte for byte one that is read already: the old system's backups hold it twice."""
        if any(file.path.with_name(file.path.name + ending).exists() for ending in SIDECAR_ENDINGS):
            return False
        first = seen.setdefault(_digest(file.path), file.name)
        if first == file.name:
            return False
        self.bytes_read += file.size
        detail = f"byte for byte the same as {first}"
        self.reading.report(Finding(Level.SKIPPED, "same_file", Place(file.name), detail, "file"))
        return True

    def _configs(self, databases: list[Tables]) -> Iterator[LegacyConfig]:
        for file, inside in self.files.configs:
            if not inside.startswith(f"{WORKFLOWS}/"):
                self.bytes_read += file.size
                config = read_config(file, inside, self.reading)
                if config is not None:
                    yield config
        for tables in databases:
            yield from self._guarded(tables, tables.configurations())

    def _workflows(self, databases: list[Tables]) -> Iterator[LegacyWorkflow]:
        found: dict[str, LegacyWorkflow] = {}
        for file, inside in self.files.configs:
            if inside.startswith(f"{WORKFLOWS}/"):
                self.bytes_read += file.size
                workflow = read_workflow(file, inside, self.reading)
                if workflow is not None:
                    found.setdefault(workflow.name, workflow)
        for tables in databases:
            for row in self._guarded(tables, tables.workflows()):
                if found.setdefault(row.name, row) is not row:
                    merge_workflow(found[row.name], row, self.reading)
        yield from found.values()

    def _sessions(self, databases: list[Tables]) -> Iterator[LegacySession]:
        for file in self.files.sessions:
            self.bytes_read += file.size
            session = read_session(file, self.reading)
            if session is None:
                continue
            for tables in databases:
                self._merge_row(session, tables)
            if has_messages(session.state) and session.session_id not in self.files.history:
                self._without_history.append((session.session_id, file))
            self._begun.setdefault(session.session_id, session.created_at)
            yield session
        yield from self._sessions_of_tables(databases)

    def _merge_row(self, session: LegacySession, tables: Tables) -> None:
        try:
            row = tables.session(session.session_id)
        except Unreadable as error:
            self._reject(tables.path, "database", str(error))
            return
        if row is not None:
            merge_session(session, row, self.reading)

    def _sessions_of_tables(self, databases: list[Tables]) -> Iterator[LegacySession]:
        for tables in databases:
            for session_id in self._guarded(tables, tables.session_ids()):
                session = None if session_id in self._begun else tables.session(session_id)
                if session is not None:
                    self._begun[session.session_id] = session.created_at
                    yield session

    def _history(self) -> Iterator[LegacyRecord]:
        reader = GroupReader(self.reading, self._begun.get)
        for _stem, files in sorted(self.files.history.items()):
            for record in reader.read(files):
                self._with_history.add(record.session_id)
                if record.kind == "error":
                    self._errors_seen.add(_error_key(record))
                yield record
            self.bytes_read += sum(file.size for file in files)

    def _state_messages(self) -> Iterator[LegacyRecord]:
        """A session that has no history at all is given its conversation from its state."""
        for session_id, file in self._without_history:
            if session_id not in self._with_history:
                yield from state_messages(file, self.reading)

    def _facts_of_tables(self, databases: list[Tables]) -> Iterator[LegacyRecord]:
        for tables in databases:
            yield from self._guarded(tables, tables.statistics(self._begun.get))
            for record in self._guarded(tables, tables.errors(self._begun.get)):
                record.repeated = _error_key(record) in self._errors_seen
                yield record

    def _guarded(self, tables: Tables, rows: Iterator[Item]) -> Iterator[Item]:
        """The rows up to where the database proves unreadable; that is reported."""
        try:
            yield from rows
        except Unreadable as error:
            self._reject(tables.path, "database", str(error))

    def _reject(self, path: str, code: str, detail: str) -> None:
        self.reading.report(Finding(Level.REJECTED, code, Place(path), detail, "file"))


def _digest(path: Path) -> bytes:
    digest = hashlib.sha256()
    with open_plain(path) as opened:
        while piece := opened.read(CHUNK):
            digest.update(piece)
    return digest.digest()


def _error_key(record: LegacyRecord) -> bytes:
    """What makes two error records the same error: session, type, message and time."""
    fields = record.fields
    told = (record.session_id, fields["error_type"], fields["error_message"], record.timestamp.isoformat())
    return hashlib.blake2b("\x00".join(told).encode(), digest_size=16).digest()
