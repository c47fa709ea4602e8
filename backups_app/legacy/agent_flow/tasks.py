"""Makes a task of a row of `task_history` and its rows of `subtasks`."""

from collections.abc import Iterator
from datetime import datetime
from itertools import count
from typing import Any

from backups_app.legacy.columns import TIMES, RowTaking
from backups_app.legacy.types import LegacyRecord

TASK = "task"
SUBTASK = "subtask"
PLACEHOLDER = "placeholder"
# What was found of a step stands with its task, by the number of the step's row: a step has no room for it.
STEPS_AS_FOUND = "subtasks_as_found"
LISTED = "subtasks"
MOST_INDEX = 2**30
_OURS = ("pending", "in_progress", "completed", "failed", "cancelled")
STATUSES = {word: word for word in _OURS} | {
    "done": "completed",
    "success": "completed",
    "finished": "completed",
    "running": "in_progress",
    "error": "failed",
    "canceled": "cancelled",
}
_TASK_COLUMNS = frozenset({"task_id", "session_id", "user_input", "subtasks", "results", "status", *TIMES})
_STEP_COLUMNS = frozenset(
    {"subtask_id", "task_id", "subtask_index", "description", "expected_output", "actual_output", "status"}
    | {"context", "validation_report", *TIMES}
)
_LISTED_KEYS = ("description", "expected_output")


def task_of(name: str, session_id: str, taking: RowTaking, steps: list[RowTaking], stands_in: datetime) -> LegacyRecord:
    """The task of a row with its steps, under its record id; `stands_in` is the time where the row has none."""
    created, updated = (taking.moment(key) for key in TIMES)
    if created is None:
        created = updated or stands_in
        taking.repairs.append(("no_time", f"created_at: no time; {created.isoformat()} stands in"))
    fields: dict[str, Any] = {
        "user_input": taking.long_text("user_input"),
        "status": taking.word("status", STATUSES, "pending"),
        "results": taking.json("results"),
        "updated_at": updated,
    }
    _keep_list(taking, steps)
    taking.keep_unknown(_TASK_COLUMNS)
    taking.tell()
    return _record(name, session_id, created, fields, taking, steps)


def placeholder_task(name: str, session_id: str, steps: list[RowTaking], begun: datetime) -> LegacyRecord:
    """A task that is only known by its steps, or what a task has in steps over the number that one can have."""
    first = steps[0]
    taking = RowTaking({}, {PLACEHOLDER: True}, TASK, first.place, data={}, reading=first.reading)
    return _record(name, session_id, begun, {"user_input": ""}, taking, steps)


def _record(  # noqa: PLR0917 - the parts of one record
    name: str,
    session_id: str,
    timestamp: datetime,
    fields: dict[str, Any],
    taking: RowTaking,
    steps: list[RowTaking],
) -> LegacyRecord:
    fields["subtasks"] = list(_steps(steps, taking, timestamp))
    return LegacyRecord(
        kind=TASK,
        session_id=session_id,
        record_id=name,
        timestamp=timestamp,
        fields={**fields, "metadata": taking.metadata},
        place=taking.place,
        repaired=bool(taking.repairs),
        size=taking.size + sum(step.size for step in steps),
    )


def _steps(steps: list[RowTaking], task: RowTaking, begun: datetime) -> Iterator[dict[str, Any]]:
    for step, index in zip(steps, _places(steps), strict=True):
        found = {"subtask_index": index, **_step(step, begun)}
        step.keep_unknown(_STEP_COLUMNS)
        step.tell()
        if step.metadata:
            task.metadata.setdefault(STEPS_AS_FOUND, {})[str(step.raw.get("subtask_id"))] = step.metadata
        yield found


def _step(step: RowTaking, begun: datetime) -> dict[str, Any]:
    texts = ("description", "expected_output", "actual_output")
    created, updated = (step.moment(key) for key in TIMES)
    if created is None:
        step.repairs.append(("no_time", f"created_at: no time; {(updated or begun).isoformat()} stands in"))
    return {
        **{key: step.long_text(key) for key in texts},
        "status": step.word("status", STATUSES, "pending"),
        "context": step.document("context"),
        "validation_report": step.document("validation_report"),
        "created_at": created or updated or begun,
        "updated_at": updated,
    }


def _places(steps: list[RowTaking]) -> list[int]:
    """The place of each step. One that is no place, or that another step has, becomes the next behind all others."""
    taken: set[int] = set()
    places: list[int | None] = []
    for step in steps:
        index = step.raw.get("subtask_index")
        if type(index) is int and 0 <= index <= MOST_INDEX and index not in taken:
            taken.add(index)
            places.append(index)
        else:
            places.append(None)
    behind = count(max(taken, default=-1) + 1)
    return [_moved(step, next(behind)) if place is None else place for step, place in zip(steps, places, strict=True)]


def _moved(step: RowTaking, place: int) -> int:
    index = step.raw.get("subtask_index")
    step.repair("subtask_index", "subtask_index", f"{index!r:.60} is none, or taken by another; it becomes {place}")
    return place


def _keep_list(taking: RowTaking, steps: list[RowTaking]) -> None:
    """What the row itself lists of its steps is kept where the steps do not say it."""
    listed = taking.json(LISTED)
    if not listed or listed == [_listed(step) for step in steps]:
        return
    taking.metadata[LISTED] = listed
    taking.repairs.append(("subtasks_differ", "subtasks: not what the rows of subtasks say; kept in the metadata"))


def _listed(step: RowTaking) -> dict[str, Any]:
    return {key: step.raw.get(key) for key in _LISTED_KEYS}
