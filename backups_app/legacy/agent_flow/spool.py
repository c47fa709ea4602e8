"""Puts the rows of a database in order outside of memory: which steps a task has, and which session a task is of."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any, NamedTuple

from backups_app.legacy.private_base import PrivateBase
from backups_app.legacy.times import stamp_of, stamped

_SCHEMA = """
CREATE TABLE task (
    number INTEGER PRIMARY KEY, name TEXT, record_id TEXT, session_id TEXT, begun INTEGER, ended INTEGER
);
CREATE UNIQUE INDEX task_by_name ON task (name);
CREATE INDEX task_by_session ON task (session_id);
CREATE TABLE step (number INTEGER PRIMARY KEY, name TEXT, place);
CREATE INDEX step_by_name ON step (name);
"""
_TASK = "number, name, record_id, session_id, begun"


class SpooledTask(NamedTuple):
    """A task by the number of its row: how steps and calls name it, what it becomes, and the time that it has.

    Where it has no time, the one of the task before it stands in.
    """

    number: int
    name: str
    record_id: str
    session_id: str
    begun: datetime


class SpooledSession(NamedTuple):
    """A session: when its first task began, and when the last one changed."""

    session_id: str
    begun: datetime
    ended: datetime


class Spool(PrivateBase):
    """The order of one database. Rows are named by their numbers; what they hold stays where it is."""

    SCHEMA = _SCHEMA

    def add_task(self, task: SpooledTask, ended: datetime) -> bool:
        """Take a task on; False when there is one of this name already."""
        row = (*task[:-1], stamp_of(task.begun), stamp_of(ended))
        return self._base.execute("INSERT OR IGNORE INTO task VALUES (?, ?, ?, ?, ?, ?)", row).rowcount == 1

    def add_step(self, number: int, task: str, place: Any) -> None:
        """Take a step of a task on; one without a place comes behind the others."""
        row = (number, task, place if type(place) in (int, float) else None)
        self._base.execute("INSERT INTO step VALUES (?, ?, ?)", row)

    def sessions(self) -> Iterator[SpooledSession]:
        """The sessions of all tasks."""
        query = "SELECT session_id, min(begun), max(ended) FROM task GROUP BY session_id"
        for session_id, begun, ended in self._base.execute(query):
            yield SpooledSession(session_id, stamped(begun), stamped(ended))

    def tasks(self) -> Iterator[SpooledTask]:
        """The tasks in the order of their rows."""
        return map(_task, self._base.execute(f"SELECT {_TASK} FROM task ORDER BY number"))  # noqa: S608 - a constant

    def task(self, name: str) -> SpooledTask | None:
        """The task of this name."""
        found = self._base.execute(f"SELECT {_TASK} FROM task WHERE name = ?", (name,)).fetchone()  # noqa: S608 - as above
        return None if found is None else _task(found)

    def steps(self, task: str) -> Iterator[int]:
        """The numbers of a task's steps in their order."""
        query = "SELECT number FROM step WHERE name = ? ORDER BY place IS NULL, place, number"
        return (number for (number,) in self._base.execute(query, (task,)))

    def orphaned(self) -> Iterator[str]:
        """The names of tasks that only steps name."""
        query = "SELECT DISTINCT name FROM step WHERE name NOT IN (SELECT name FROM task) ORDER BY name"
        return (name for (name,) in self._base.execute(query))


def _task(row: tuple[Any, ...]) -> SpooledTask:
    number, name, record_id, session_id, begun = row
    return SpooledTask(number, name, record_id, session_id, stamped(begun))
