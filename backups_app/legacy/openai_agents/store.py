"""Reads the databases of the OpenAI Agents SDK at a path: sessions, then what was said and called, then the tokens."""

from collections.abc import Generator, Iterator
from contextlib import suppress
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any

from backups_app.legacy.columns import TIMES, RowTaking, row_hash, row_taking
from backups_app.legacy.fields import NAME_LENGTH
from backups_app.legacy.files import FoundFile, Unreadable, files_at, open_plain
from backups_app.legacy.history_store.tables import ORPHANS
from backups_app.legacy.listing import files_listed
from backups_app.legacy.openai_agents.items import (
    ANSWER,
    CALL,
    answer_alone,
    call_id_of,
    call_of,
    message_of,
    type_of,
    usage_of,
)
from backups_app.legacy.openai_agents.pairs import Pairs
from backups_app.legacy.sqlite_copy import SQLiteCopy, open_copy
from backups_app.legacy.sqlite_files import DATABASE_ENDINGS, is_sidecar
from backups_app.legacy.times import EPOCH
from backups_app.legacy.types import Finding, LegacyItem, LegacyRecord, LegacySession, Level, Place, Reading
from config.shared.text import REPLACEMENT

KINDS = {
    "agent_sessions": "session",
    "agent_messages": "message",
    "message_structure": "file",
    "turn_usage": "token_usage",
}
SIGNS = (b"agent_sessions", b"agent_messages")
MAIN = "main"
STATUS = "inactive"
LOOKED_AT = 200
LOOKED_INTO = 1024 * 1024


def looks_like_openai_agents(root: Path) -> bool:
    """Whether one of the first databases at the path, or its write-ahead log, speaks of the SDK's tables."""
    found = (entry for entry in islice(files_at(root), LOOKED_AT) if isinstance(entry, FoundFile))
    return any(_speaks_of_items(file) for file in found if file.name.lower().endswith(DATABASE_ENDINGS))


def _speaks_of_items(file: FoundFile) -> bool:
    for path in (file.path, file.path.with_name(f"{file.path.name}-wal")):
        with suppress(Unreadable), open_plain(path) as opened:
            begun = opened.read(LOOKED_INTO)
            if all(sign in begun for sign in SIGNS):
                return True
    return False


def _is_database(file: FoundFile) -> bool:
    return file.name.lower().endswith(DATABASE_ENDINGS)


class OpenAIAgents:
    """One folder, or one database, to be read once. `bytes_read` of `bytes` tells how far the reading is."""

    def __init__(self, root: Path, reading: Reading) -> None:
        """List the files; no database is opened yet."""
        self.reading = reading
        self._files, self._skipped = files_listed(root, _is_database, "not a database", is_sidecar)
        self.bytes = sum(file.size for file in self._files)
        self.bytes_read = 0

    def items(self) -> Generator[LegacyItem, None, None]:
        """Everything, database by database. Nothing that a file holds makes this raise."""
        for finding in self._skipped:
            self.reading.report(finding)
        for file in self._files:
            try:
                with open_copy(file.path, tuple(KINDS), self.reading.limits) as copy:
                    if not copy.tables:
                        raise Unreadable("none of the expected tables is in it")
                    yield from _Database(copy, file.name, self.reading).items()
            except Unreadable as error:
                self.reading.report(Finding(Level.REJECTED, "database", Place(file.name), str(error), "file"))
            self.bytes_read += file.size


class _Database:
    """The items of one database."""

    def __init__(self, copy: SQLiteCopy, path: str, reading: Reading) -> None:
        self._copy = copy
        self._place = Place(path)
        self._reading = reading

    def items(self) -> Iterator[LegacyItem]:
        yield from self._sessions()
        with Pairs() as pairs:
            self._pair(pairs)
            yield from self._records(pairs)
        yield from self._usage()

    def _rows(self, table: str) -> Iterator[tuple[int, RowTaking]]:
        for number, row in self._copy.numbered_rows(table):
            place = self._place.at_row(table, str(number))
            if row is not None:
                yield number, row_taking(row, KINDS[table], place, self._reading)
                continue
            detail = f"a value is longer than {self._reading.limits.line_bytes} bytes"
            self._reading.report(Finding(Level.REJECTED, "too_large", place, detail, KINDS[table]))

    def _sessions(self) -> Iterator[LegacySession]:
        for _number, taking in self._rows("agent_sessions"):
            session_id = _session_of(taking)
            if session_id == ORPHANS:
                detail = "session_id is missing, longer than 255 characters, or no text"
                self._reading.report(Finding(Level.REJECTED, "bad_session_id", taking.place, detail, "session"))
                continue
            created, updated = (taking.moment(key) for key in TIMES)
            taking.keep_unknown({"session_id", *TIMES})
            taking.tell()
            yield LegacySession(
                session_id=session_id,
                place=taking.place,
                status=STATUS,
                created_at=created or updated or EPOCH,
                updated_at=updated or created or EPOCH,
                metadata=taking.metadata,
                repaired=bool(taking.repairs),
            )

    def _pair(self, pairs: Pairs) -> None:
        """Note which rows are calls and answers, and which items stand in other branches than the main one."""
        for number, taking in self._rows_again("agent_messages"):
            item = taking.json("message_data")
            if type_of(item).endswith((CALL, ANSWER)) and call_id_of(item):
                is_answer = type_of(item).endswith(ANSWER)
                pairs.add(_session_of(taking), call_id_of(item), number, is_answer=is_answer)
        for _number, taking in self._rows("message_structure"):
            item, name = taking.raw.get("message_id"), taking.raw.get("branch_id")
            if type(item) is int and type(name) is str and name != MAIN:
                pairs.add_branch(item, name)

    def _rows_again(self, table: str) -> Iterator[tuple[int, RowTaking]]:
        """The rows without a word about those that are too large: the second reading tells."""
        for number, row in self._copy.numbered_rows(table):
            if row is not None:
                yield number, row_taking(row, KINDS[table], self._place, self._reading)

    def _records(self, pairs: Pairs) -> Iterator[LegacyItem]:
        last = EPOCH
        for number, taking in self._rows("agent_messages"):
            session_id, item = _session_of(taking), taking.json("message_data")
            if type_of(item).endswith(ANSWER) and pairs.is_joined(session_id, call_id_of(item), number):
                continue
            moment = last = self._moment(taking, last)
            if branches := pairs.branches(number):
                taking.metadata["branches"] = branches
            # Names of sessions are given by people: of two databases the same one may mean two conversations.
            name = f"agent_messages:{number}.{row_hash(taking)}"
            if session_id == ORPHANS:
                taking.repairs.append(("session_id", f"no usable session; kept in the session {ORPHANS!r}"))
            if type_of(item).endswith(ANSWER):
                yield answer_alone(name, session_id, item, taking, moment)
            elif type_of(item).endswith(CALL):
                answer = self._answer(pairs.answer_of(session_id, call_id_of(item), number))
                record, config = call_of(name, session_id, item, answer, taking, moment)
                yield from () if config is None else (config,)
                yield record
            else:
                yield message_of(name, session_id, item, taking, moment)

    def _answer(self, number: int | None) -> dict[str, Any] | None:
        row = None if number is None else self._copy.numbered_row("agent_messages", number)
        if row is None:
            return None
        item = row_taking(row, "message", self._place, self._reading).json("message_data")
        return item if type(item) is dict else None

    def _usage(self) -> Iterator[LegacyRecord]:
        last = EPOCH
        for number, taking in self._rows("turn_usage"):
            last = self._moment(taking, last)
            name = f"turn_usage:{number}.{row_hash(taking)}"
            yield usage_of(name, _session_of(taking), taking, last)

    def _moment(self, taking: RowTaking, last: datetime) -> datetime:
        found = taking.moment("created_at")
        if found is None:
            taking.repairs.append(("no_time", f"created_at: no time; {last.isoformat()} stands in"))
        return found or last


def _session_of(taking: RowTaking) -> str:
    found = taking.raw.get("session_id")
    is_usable = type(found) is str and 0 < len(found) <= NAME_LENGTH and REPLACEMENT not in found
    return str(found) if is_usable else ORPHANS
