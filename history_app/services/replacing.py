"""Puts a record in place of the stored one of its id, as an import may be told to: locked with its session, audited."""

import json
from datetime import datetime
from typing import Any

from django.db import transaction

from config.shared.callers import Caller
from config.shared.errors import NotFound
from history_app.models import Subtask, Task, TokenUsage
from history_app.services.drafts import CostDraft, StepDraft, TaskDraft, TokenUsageDraft
from history_app.services.ingest.batch import Batch, Entry
from history_app.services.ingest.results import SAME
from history_app.services.ingest.sessions import TakenSession
from history_app.services.ingest.usage import use_exchange
from sessions_app.models import Session, SessionActivity
from sessions_app.services.staff_edits import changes_told, row_audit

STEP_TEXTS = ("description", "expected_output", "actual_output", "status")


@transaction.atomic
def use_replace(
    *, session: Session, draft: TokenUsageDraft | CostDraft, caller: Caller, now: datetime
) -> dict[str, Any]:
    """Put a use of tokens, or a cost record, in place of the stored one; return the row as it was before.

    Costs and uses are paired anew, so that sums and roll-ups are those of what is stored now. Raises NotFound.
    """
    _lock(session)
    wanted = {"cost_record_id" if isinstance(draft, CostDraft) else "record_id": draft.record_id}
    before = TokenUsage.objects.filter(session=session, **wanted).first()
    if before is None:
        raise NotFound
    entry = Entry(0, draft, TakenSession(session.pk, session.user_id))
    use_exchange(entry, Batch(session.project_id, now, [SAME]))
    _audit(before, TokenUsage.objects.get(session=session, **wanted), caller, now)
    return _told(before)


@transaction.atomic
def task_replace(*, task: Task, draft: TaskDraft, caller: Caller, now: datetime) -> dict[str, Any]:
    """Make a stored task, with its steps, what the draft says; return both as they were before.

    Its tool calls stay with it. A step is known by its index: others go, missing ones are added.
    """
    _lock(task.session)
    before = Task.objects.select_for_update().get(pk=task.pk)
    steps = {step.subtask_index: step for step in before.subtasks.all()}
    told = {**_told(before), "subtasks": [_told(step) for _index, step in sorted(steps.items())]}
    task.user_input, task.status = draft.user_input, draft.status
    task.results, task.metadata = _value(draft.results), _value(draft.metadata) or {}
    task.created_at, task.updated_at = draft.timestamp, draft.updated_at or draft.timestamp
    task.save(force_update=True)
    wanted = {step.subtask_index: step for step in draft.subtasks}
    Subtask.objects.filter(pk__in=[step.pk for index, step in steps.items() if index not in wanted]).delete()
    for index, step in sorted(wanted.items()):
        _step_set(steps.get(index) or Subtask(task=task, subtask_index=index), step, draft)
    _audit(before, task, caller, now)
    return told


def _step_set(row: Subtask, step: StepDraft, task: TaskDraft) -> None:
    for name in STEP_TEXTS:
        setattr(row, name, getattr(step, name))
    row.context, row.validation_report = _value(step.context) or {}, _value(step.validation_report) or {}
    row.created_at = step.created_at or task.timestamp
    row.updated_at = step.updated_at or row.created_at
    row.save()


def _lock(session: Session) -> None:
    list(SessionActivity.objects.select_for_update().filter(pk=session.pk))


def _value(text: str | None) -> Any:
    return None if text is None else json.loads(text)


def _told(row: Any) -> dict[str, Any]:
    return {field.name: field.value_from_object(row) for field in row._meta.concrete_fields}


def _audit(before: Any, after: Any, caller: Caller, now: datetime) -> None:
    fields = before._meta.concrete_fields
    changed = [each.name for each in fields if getattr(before, each.attname) != getattr(after, each.attname)]
    row_audit(row=after, verb="update", changes=changes_told(before, after, changed), caller=caller, now=now)
