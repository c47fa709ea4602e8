"""Checks of what belongs where: projects of facts, placeholders of imports, counts, current states."""

from collections.abc import Callable, Iterator
from datetime import datetime
from functools import partial
from typing import Any

from django.db import transaction
from django.db.models import F, Max, Model

from backups_app.services.doctor.findings import Check, Finding, in_ranges
from history_app.models import ErrorRecord, LLMCall, Message, Metric, Task, TokenUsage, ToolCall
from sessions_app.models import Session, SessionLabel, SessionState
from sessions_app.services.session_batches import PLACEHOLDER
from sessions_app.services.session_counts import session_counts_difference, session_counts_repair

PLACEHOLDER_TOLD = "an import knew its name alone; a store that tells more of it can still be imported, and fills it"
OF_SESSIONS: tuple[type[Model], ...] = (Message, Task, ToolCall, LLMCall, TokenUsage, ErrorRecord, Metric)


def _strangers(model: Any, now: datetime) -> Iterator[Finding]:
    """Rows whose project is not their session's: they show behind the wrong wall."""
    for part in in_ranges(model, model._base_manager.exclude(project_id=F("session__project_id"))):
        for row in part.select_related("session"):
            place = f"session {row.session.session_id}, {model._meta.model_name} {row.record_id}"
            detail = f"it is of project {row.project_id}, and its session of {row.session.project_id}"
            yield Finding(row.session.project_id, place, detail, row.pk)


@transaction.atomic
def _stranger_repair(model: Any, finding: Finding, now: datetime) -> dict[str, Any] | None:
    row = model._base_manager.filter(pk=finding.pk).select_related("session").first()
    if row is None or row.project_id == row.session.project_id:
        return None
    model._base_manager.filter(pk=row.pk).update(project_id=row.session.project_id)
    return {"project": [row.project_id, row.session.project_id]}


def _placeholders(now: datetime) -> Iterator[Finding]:
    """Sessions of which an import knew the name alone. Many an old store tells no more of any session: no fault."""
    marked = SessionLabel.objects.filter(kind="metadata", key=PLACEHOLDER, value="true").values("session_id")
    for part in in_ranges(Session, Session.objects.kept().filter(pk__in=marked)):
        for row in part:
            yield Finding(row.project_id, f"session {row.session_id}", PLACEHOLDER_TOLD, row.pk)


def _counts(now: datetime) -> Iterator[Finding]:
    for (project_id, status), number in sorted(session_counts_difference().items()):
        yield Finding(project_id, f"count of {status} sessions", f"{number:+d} sessions are not counted", status)


def _counts_repair(finding: Finding, now: datetime) -> dict[str, Any] | None:
    corrected = session_counts_repair()
    return {f"{project}/{status}": number for (project, status), number in corrected.items()} or None


def _without_current(now: datetime) -> Iterator[Finding]:
    current = SessionState.objects.current().values("session_id")
    rows = Session.objects.kept().filter(states__isnull=False).exclude(pk__in=current).distinct()
    for part in in_ranges(Session, rows):
        for row in part:
            yield Finding(row.project_id, f"session {row.session_id}", "none of its states is the current one", row.pk)


@transaction.atomic
def _current_repair(finding: Finding, now: datetime) -> dict[str, Any] | None:
    states = SessionState.objects.filter(session=finding.pk)
    newest = states.aggregate(newest=Max("version"))["newest"]
    if newest is None or states.current().exists():
        return None
    states.filter(version=newest).update(is_current=True)
    return {"current": [None, newest]}


def _of_another_project() -> Iterator[Check]:
    for model in OF_SESSIONS:
        find: Callable[[datetime], Iterator[Finding]] = partial(_strangers, model)
        yield Check(f"{model._meta.model_name}_of_another_project", find, partial(_stranger_repair, model))


CHECKS = (
    *_of_another_project(),
    Check("session_count_wrong", _counts, _counts_repair),
    Check("state_without_current", _without_current, _current_repair),
    Check("placeholder_of_an_import", _placeholders, is_fault=False),
)
