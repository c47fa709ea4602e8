"""Tasks and their subtasks: created in one transaction, moved on as the agent works."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar

from django.db import IntegrityError, transaction
from django.db.models import Max
from django.utils.translation import gettext as _

from config.shared.callers import Caller
from config.shared.errors import Conflict, InvalidInput
from config.shared.fields import JSONTextField
from config.shared.ids import uuid7
from config.shared.merging import merge_patch
from config.shared.querysets import row_locked
from history_app.models import Subtask, Task
from history_app.services.storable import storable_id
from sessions_app.models import Session
from sessions_app.services.expiry import session_touch
from sessions_app.services.staff_edits import row_delete

Work = TypeVar("Work", Task, Subtask)

TASK_FIELDS = frozenset({"user_input", "status", "results", "metadata"})
SUBTASK_FIELDS = frozenset(
    {"description", "expected_output", "actual_output", "status", "context", "validation_report"}
)


@transaction.atomic
def task_create(
    *,
    session: Session,
    now: datetime,
    record_id: str | None = None,
    subtasks: Sequence[Mapping[str, Any]] = (),
    **fields: Any,
) -> tuple[Task, bool]:
    """Create a task with its subtasks, in one transaction; return it, and whether it is new.

    `fields` are the columns of TASK_FIELDS. A subtask is the columns of SUBTASK_FIELDS, with its `subtask_index`
    where it is not its place in the list. The same task again, by `record_id`, is returned as it is stored; another
    one under that id raises Conflict.
    """
    _check_names(fields, TASK_FIELDS)
    task = Task(
        project_id=session.project_id,
        session=session,
        record_id=uuid7() if record_id is None else storable_id(record_id, "/record_id"),
        created_at=now,
        updated_at=now,
        **fields,
    )
    try:
        with transaction.atomic():
            task.save(force_insert=True)
            Subtask.objects.bulk_create(_subtask_rows(task, subtasks, now), batch_size=100)
    except IntegrityError:
        stored = Task.objects.filter(session=session, record_id=task.record_id).first()
        if stored is None:
            # It was not the id that stood in the way.
            raise
        return _twin(stored, task, subtasks), False
    session_touch(session=session, now=now)
    return task, True


def _check_names(fields: Mapping[str, Any], known: frozenset[str]) -> None:
    unknown = fields.keys() - known
    if unknown:
        raise TypeError(f"There are no such fields: {', '.join(sorted(unknown))}.")


def _subtask_rows(task: Task, subtasks: Sequence[Mapping[str, Any]], now: datetime) -> list[Subtask]:
    rows = [
        Subtask(task=task, created_at=now, updated_at=now, **{"subtask_index": place, **fields})
        for place, fields in enumerate(subtasks)
    ]
    if len({row.subtask_index for row in rows}) < len(rows):
        raise InvalidInput.at("/subtasks", _("Two subtasks have the same index."))
    return rows


def _twin(stored: Task, task: Task, subtasks: Sequence[Mapping[str, Any]]) -> Task:
    """Return the stored task of the same id, when it was created from the same input. Raises Conflict."""
    descriptions = [fields.get("description") for fields in subtasks]
    rows = stored.subtasks.order_by("subtask_index").values_list("description", flat=True)
    if stored.user_input == task.user_input and sorted(rows) == sorted(descriptions):  # type: ignore[type-var]
        return stored
    raise Conflict(_("Another task is stored under this record_id."))


@transaction.atomic
def task_update(*, task: Task, changes: Mapping[str, Any], now: datetime, merge: bool = True) -> Task:
    """Change columns of TASK_FIELDS of a task; with `merge` JSON objects merge (RFC 7396), else they are replaced.

    Columns that are not named, and that somebody else may change at this moment, stay as they are.
    """
    _check_names(changes, TASK_FIELDS)
    return _changed(task, changes, now, merge=merge, session=task.session)


@transaction.atomic
def subtask_create(*, task: Task, now: datetime, subtask_index: int | None = None, **fields: Any) -> Subtask:
    """Add a subtask to a task: behind the others unless an index is stated. Raises Conflict when that is taken."""
    _check_names(fields, SUBTASK_FIELDS)
    row_locked(task)
    if subtask_index is None:
        last = task.subtasks.aggregate(last=Max("subtask_index"))["last"]
        subtask_index = 0 if last is None else last + 1
    subtask = Subtask(task=task, subtask_index=subtask_index, created_at=now, updated_at=now, **fields)
    try:
        with transaction.atomic():
            subtask.save(force_insert=True)
    except IntegrityError as error:
        raise Conflict(_("The task has a subtask of this index.")) from error
    return subtask


@transaction.atomic
def subtask_update(*, subtask: Subtask, changes: Mapping[str, Any], now: datetime, merge: bool = True) -> Subtask:
    """Change columns of SUBTASK_FIELDS of a subtask, as `task_update` does."""
    _check_names(changes, SUBTASK_FIELDS)
    return _changed(subtask, changes, now, merge=merge, session=subtask.task.session)


def _changed(row: Work, changes: Mapping[str, Any], now: datetime, *, merge: bool, session: Session) -> Work:
    # The session first, as the bulk writer does: whoever takes both in one order never waits in a circle.
    session_touch(session=session, now=now)
    row = row_locked(row)
    for name, value in changes.items():
        document = isinstance(row._meta.get_field(name), JSONTextField)
        setattr(row, name, merge_patch(getattr(row, name), value) if merge and document else value)
    row.updated_at = now
    row.save(update_fields=[*changes, "updated_at"])
    return row


def task_delete(*, task: Task, caller: Caller, now: datetime) -> None:
    """Remove a task with its subtasks and audit that. Its tool calls stay, without a task."""
    row_delete(row=task, caller=caller, now=now, project_id=task.project_id)


def subtask_delete(*, subtask: Subtask, caller: Caller, now: datetime) -> None:
    """Remove a subtask and audit that."""
    row_delete(row=subtask, caller=caller, now=now, project_id=subtask.task.project_id)
