"""Checks of what was left open: calls of tools without a result, subtasks of tasks that are over."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Q

from backups_app.services.doctor.findings import Check, Finding, in_ranges
from history_app.models import Subtask, ToolCall
from history_app.models.tasks import WorkStatus
from sessions_app.models import Session

PATIENCE = timedelta(hours=24)
OVER = (WorkStatus.COMPLETED, WorkStatus.FAILED, WorkStatus.CANCELLED)
OPEN = (WorkStatus.PENDING, WorkStatus.IN_PROGRESS)
NO_RESULT = "No result was reported."


def _lost_calls(now: datetime) -> Any:
    """Calls that wait for a result in a session that is over, or for longer than a day."""
    waiting = ToolCall.objects.filter(status=ToolCall.Status.PENDING)
    return waiting.filter(~Q(session__status__in=Session.OPEN) | Q(timestamp__lt=now - PATIENCE))


def _calls_without_result(now: datetime) -> Iterator[Finding]:
    for part in in_ranges(ToolCall, _lost_calls(now)):
        for row in part.select_related("session").only("project_id", "record_id", "tool_name", "session__session_id"):
            place = f"session {row.session.session_id}, tool call {row.record_id}"
            yield Finding(row.project_id, place, f"{row.tool_name} was called, and no result came", row.pk)


@transaction.atomic
def _call_repair(finding: Finding, now: datetime) -> dict[str, Any] | None:
    """Say that the call failed; a result that comes after all is a change like any other."""
    pks = list(_lost_calls(now).filter(pk=finding.pk).values_list("pk", flat=True))
    done = ToolCall.objects.filter(pk__in=pks, status=ToolCall.Status.PENDING).update(
        status=ToolCall.Status.ERROR, error_message=NO_RESULT
    )
    return {"status": ["pending", "error"]} if done else None


def _left_open() -> Any:
    return Subtask.objects.filter(status__in=OPEN, task__status__in=OVER)


def _subtasks_left_open(now: datetime) -> Iterator[Finding]:
    for part in in_ranges(Subtask, _left_open()):
        for row in part.select_related("task__session"):
            place = f"session {row.task.session.session_id}, task {row.task.record_id}, subtask {row.subtask_index}"
            yield Finding(row.task.project_id, place, f"it is {row.status}, and its task is {row.task.status}", row.pk)


@transaction.atomic
def _subtask_repair(finding: Finding, now: datetime) -> dict[str, Any] | None:
    list(Subtask.objects.select_for_update().filter(pk=finding.pk).values_list("pk"))
    row = _left_open().filter(pk=finding.pk).first()
    if row is None:
        return None
    before = str(row.status)
    Subtask.objects.filter(pk=row.pk).update(status=WorkStatus.CANCELLED, updated_at=now)
    return {"status": [before, str(WorkStatus.CANCELLED)]}


CHECKS = (
    Check("tool_call_without_result", _calls_without_result, _call_repair),
    Check("subtask_left_open", _subtasks_left_open, _subtask_repair),
)
