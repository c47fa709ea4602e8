"""Tasks that come as records: stored with their steps before the tool calls that belong to them."""

from collections.abc import Sequence
from operator import attrgetter
from typing import Any

from django.db import IntegrityError, transaction

from history_app.models import Subtask, Task
from history_app.services.drafts import StepDraft, TaskDraft
from history_app.services.ingest import statements
from history_app.services.ingest.batch import Batch, Entry
from history_app.services.ingest.columns import Row
from history_app.services.ingest.facts import RECORD_KEY, first_ones

_TASK_COLUMNS = (
    "project_id", "session_id", "record_id", "metadata", "user_input", "status", "results", "created_at", "updated_at",
)  # fmt: skip
_STEP = (
    "subtask_index", "description", "expected_output", "actual_output", "status", "context", "validation_report",
)  # fmt: skip
_STEP_COLUMNS = ("task_id", *_STEP, "created_at", "updated_at")


def tasks_write(entries: Sequence[Entry], batch: Batch) -> None:
    """Store tasks with their steps and settle each; their sessions are locked.

    A task that is stored already is the same one when it was created from the same input, whatever became of it since.
    """
    if not entries:
        return
    first = first_ones(entries, batch)
    try:
        with transaction.atomic():
            _insert(first, batch)
    except IntegrityError:
        first = _unknown_ones(first, batch)
        _insert(first, batch)
    batch.stored(first)


def _draft(entry: Entry) -> TaskDraft:
    assert isinstance(entry.draft, TaskDraft)  # noqa: S101
    return entry.draft


def _insert(entries: Sequence[Entry], batch: Batch) -> None:
    statements.insert_rows(Task, _TASK_COLUMNS, [_task_row(entry, batch.project_id) for entry in entries])
    pks = {(session, record_id): pk for session, record_id, pk, _input in _stored(entries)}
    steps = [_step_row(pks[entry.key], step, _draft(entry)) for entry in entries for step in _draft(entry).subtasks]
    statements.insert_rows(Subtask, _STEP_COLUMNS, steps)


def _stored(entries: Sequence[Entry]) -> list[Row]:
    columns = ("session_id", "record_id", "id", "user_input")
    return statements.select_matching(Task, columns, RECORD_KEY, [entry.key for entry in entries])


def _task_row(entry: Entry, project_id: int) -> Row:
    task = _draft(entry)
    own = (task.metadata, task.user_input, task.status, task.results)
    return (project_id, entry.session.pk, task.record_id, *own, task.timestamp, task.updated_at or task.timestamp)


def _step_row(task_pk: int, step: StepDraft, task: TaskDraft) -> Row:
    created = step.created_at or task.timestamp
    return (task_pk, *attrgetter(*_STEP)(step), created, step.updated_at or created)


def _unknown_ones(entries: Sequence[Entry], batch: Batch) -> list[Entry]:
    """Return the entries without those whose id is stored, which are settled."""
    stored = {(session, record_id): (pk, text) for session, record_id, pk, text in _stored(entries)}
    key = (("task_id", statements.INTEGER),)
    steps: dict[int, list[str]] = {}
    for pk, text in statements.select_matching(
        Subtask, ("task_id", "description"), key, [(pk,) for pk, _text in stored.values()]
    ):
        steps.setdefault(pk, []).append(text)
    unknown = []
    for entry in entries:
        if entry.key not in stored:
            unknown.append(entry)
        else:
            batch.repeated(entry, _same(_draft(entry), *stored[entry.key], steps))
    return unknown


def _same(task: TaskDraft, pk: int, user_input: Any, steps: dict[int, list[str]]) -> bool:
    descriptions = sorted(step.description for step in task.subtasks)
    return bool(task.user_input == user_input and descriptions == sorted(steps.get(pk, [])))
