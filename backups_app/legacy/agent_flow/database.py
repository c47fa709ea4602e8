"""Reads one `agent_flow.db`: settings, users and knowledge, then sessions, tasks with their steps, and tool calls."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from typing import Any

from backups_app.legacy.agent_flow.settings import config_of, knowledge_of, user_of
from backups_app.legacy.agent_flow.spool import Spool, SpooledTask
from backups_app.legacy.agent_flow.tasks import PLACEHOLDER, placeholder_task, task_of
from backups_app.legacy.agent_flow.tool_logs import call_of
from backups_app.legacy.columns import TIMES, RowTaking, row_hash, row_taking
from backups_app.legacy.fields import NAME_LENGTH
from backups_app.legacy.files import Unreadable
from backups_app.legacy.history_store.tables import ORPHANS
from backups_app.legacy.sqlite_copy import SQLiteCopy
from backups_app.legacy.times import EPOCH, time_read
from backups_app.legacy.types import (
    Finding,
    LegacyConfig,
    LegacyItem,
    LegacyKnowledge,
    LegacyRecord,
    LegacySession,
    LegacyUser,
    Level,
    Place,
    Reading,
)
from config.shared.text import REPLACEMENT

KINDS = {
    "system_config": "config",
    "user_config": "user_config",
    "knowledge_sources": "knowledge_source",
    "task_history": "task",
    "subtasks": "subtask",
    "tool_logs": "tool_call",
}
KEYS = {
    "system_config": "config_key",
    "user_config": "user_id",
    "knowledge_sources": "source_id",
    "task_history": "task_id",
    "subtasks": "subtask_id",
    "tool_logs": "log_id",
}
STATUS = "inactive"
# A task with more steps than this is continued in further ones, so that memory stays bounded.
MOST_STEPS = 1000
STEP_BYTES = 4_000_000
# Room for what is put behind the name.
_NAME_LENGTH = 200
# Of a task or step: what tells it from one of another store, and is the same in every backup.
_NEVER_CHANGED = ("task_id", "subtask_id", "user_input", "description", "created_at")
_SIMPLE: dict[str, Callable[[RowTaking], LegacyConfig | LegacyUser]] = {
    "system_config": config_of,
    "user_config": user_of,
}


class Database:
    """The items of one database. `path` is the file's place in the store."""

    def __init__(self, copy: SQLiteCopy, path: str, reading: Reading) -> None:
        self._copy = copy
        self._place = Place(path)
        self._reading = reading

    def items(self) -> Iterator[LegacyItem]:
        """Everything in the database."""
        for missing in sorted(KINDS.keys() - self._copy.tables):
            self._report(Level.NOTE, "table_missing", self._place, f"there is no table {missing}", "file")
        for table, taken in _SIMPLE.items():
            yield from (taken(taking) for _number, taking in self._rows(table))
        yield from self._knowledge()
        with Spool() as spool:
            self._fill(spool)
            yield from self._sessions(spool)
            for task in spool.tasks():
                yield from self._task(task, spool)
            for name in spool.orphaned():
                yield from self._steps_without_task(name, spool)
            yield from self._calls(spool)

    def _knowledge(self) -> Iterator[LegacyKnowledge]:
        alike: Counter[int] = Counter()
        for _number, taking in self._rows("knowledge_sources"):
            source = knowledge_of(taking)
            key = hash((source.source_name, source.source_path, source.source_type, source.created_at))
            source.alike_before = alike[key]
            alike[key] += 1
            yield source

    def _rows(self, table: str) -> Iterator[tuple[int, RowTaking]]:
        """The rows of a table by their numbers, up to where the database proves unreadable; that is reported."""
        try:
            for number, row in self._copy.numbered_rows(table):
                place = self._place.at_row(table, str(number))
                if row is None:
                    detail = f"a value is longer than {self._reading.limits.line_bytes} bytes"
                    self._report(Level.REJECTED, "too_large", place, detail, KINDS[table])
                else:
                    yield number, self._taking(table, number, row)
        except Unreadable as error:
            self._report(Level.REJECTED, "database", self._place, str(error), "file")

    def _taking(self, table: str, number: int, row: dict[str, Any]) -> RowTaking:
        key = row.get(KEYS[table])
        place = self._place.at_row(table, str(key)[:NAME_LENGTH] if type(key) is int else f"row {number}")
        return row_taking(row, KINDS[table], place, self._reading)

    def _fill(self, spool: Spool) -> None:
        """Note which task is of which session, and which step of which task."""
        last = EPOCH
        for number, taking in self._rows("task_history"):
            begun, ended = (time_read(taking.raw.get(key), self._reading.zone) for key in TIMES)
            last = begun or ended or last
            name = _task_name(taking.raw.get("task_id")) or f"task_history:{row_hash(taking)}"
            session_id = _session_of(taking)
            own = f"{name}.{row_hash(taking, _NEVER_CHANGED)}" if session_id == ORPHANS else name
            if not spool.add_task(SpooledTask(number, name, own, session_id, last), max(ended or last, last)):
                self._report(Level.REJECTED, "same_id", taking.place, f"another row is {name!r:.300} too", "task")
        for number, taking in self._rows("subtasks"):
            spool.add_step(number, _task_name(taking.raw.get("task_id")), taking.raw.get("subtask_index"))

    def _sessions(self, spool: Spool) -> Iterator[LegacySession]:
        """All that the store knows of a session is its name: another store may tell more of it."""
        for found in spool.sessions():
            yield LegacySession(
                session_id=found.session_id,
                place=self._place.at_row("task_history", found.session_id),
                status=STATUS,
                created_at=found.begun,
                updated_at=found.ended,
                metadata={PLACEHOLDER: True},
            )

    def _task(self, task: SpooledTask, spool: Spool) -> Iterator[LegacyRecord]:
        row = self._copy.numbered_row("task_history", task.number)
        if row is None:
            return
        taking = self._taking("task_history", task.number, row)
        chunks = self._chunks(spool.steps(task.name))
        if task.session_id == ORPHANS and taking.raw.get("session_id") != ORPHANS:
            taking.repair("session_id", "session_id", f"no usable session; kept in the session {ORPHANS!r}")
        yield task_of(task.record_id, task.session_id, taking, next(chunks, []), task.begun)
        for number, steps in enumerate(chunks, 2):
            detail = f"{task.record_id!r:.300} has more steps than a task here; they go on in another"
            self._report(Level.NOTE, "task_continued", steps[0].place, detail, "task")
            yield placeholder_task(f"{task.record_id}/{number}", task.session_id, steps, task.begun)

    def _steps_without_task(self, name: str, spool: Spool) -> Iterator[LegacyRecord]:
        own = ""
        for number, steps in enumerate(self._chunks(spool.steps(name)), 1):
            own = own or f"{name or 'task_history:none'}.{row_hash(steps[0], _NEVER_CHANGED)}"
            for step in steps:
                detail = f"there is no task {step.raw.get('task_id')!r:.100}; kept under a placeholder in {ORPHANS!r}"
                step.repairs.append(("orphan", detail))
            begun = time_read(steps[0].raw.get("created_at"), self._reading.zone) or EPOCH
            yield placeholder_task(f"{own}/{number}", ORPHANS, steps, begun)

    def _chunks(self, numbers: Iterable[int]) -> Iterator[list[RowTaking]]:
        """The steps of these numbers, at most as many at once as a task may have."""
        steps: list[RowTaking] = []
        size = 0
        for number in numbers:
            row = self._copy.numbered_row("subtasks", number)
            if row is None:
                continue
            steps.append(self._taking("subtasks", number, row))
            size += steps[-1].size
            if len(steps) >= MOST_STEPS or size >= STEP_BYTES:
                yield steps
                steps, size = [], 0
        if steps:
            yield steps

    def _calls(self, spool: Spool) -> Iterator[LegacyItem]:
        last = EPOCH
        for _number, taking in self._rows("tool_logs"):
            task = spool.task(_task_name(taking.raw.get("task_id")))
            record, config = self._call(taking, task, last)
            last = record.timestamp
            yield from () if config is None else (config,)
            yield record

    def _call(
        self, taking: RowTaking, task: SpooledTask | None, last: datetime
    ) -> tuple[LegacyRecord, LegacyConfig | None]:
        log_id = taking.raw.get("log_id")
        name = f"tool_logs:{log_id}" if type(log_id) is int else "tool_logs:none"
        if task is not None and type(log_id) is int and task.session_id != ORPHANS:
            return call_of(taking, name, task.session_id, task.record_id, task.begun)
        name = f"{name}.{row_hash(taking)}"
        if task is not None:
            return call_of(taking, name, task.session_id, task.record_id, task.begun)
        detail = f"task_id: there is no task {taking.raw.get('task_id')!r:.100}; kept in the session {ORPHANS!r}"
        taking.repairs.append(("orphan", detail))
        taking.metadata["task_id"] = taking.raw.get("task_id")
        return call_of(taking, name, ORPHANS, None, last)

    def _report(self, level: Level, code: str, place: Place, detail: str, kind: str) -> None:
        self._reading.report(Finding(level, code, place, detail, kind))


def _task_name(task_id: Any) -> str:
    """How rows of all tables name a task; empty where they name none."""
    if type(task_id) is float and task_id.is_integer():
        task_id = int(task_id)
    return "" if task_id is None else f"task_history:{task_id}"[:_NAME_LENGTH]


def _session_of(taking: RowTaking) -> str:
    found = taking.raw.get("session_id")
    is_usable = type(found) is str and 0 < len(found) <= NAME_LENGTH and REPLACEMENT not in found
    return str(found) if is_usable else ORPHANS
