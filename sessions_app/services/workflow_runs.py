"""Workflow runs: what happened when a definition was followed."""

from collections.abc import Mapping
from copy import copy
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import F
from django.db.models.functions import Coalesce, Greatest

from config.shared.callers import Caller
from config.shared.errors import Conflict, InvalidInput
from config.shared.ids import uuid7
from config.shared.merging import merge_patch
from config.shared.querysets import row_locked
from sessions_app.models import Session, Workflow, WorkflowRun
from sessions_app.services.sessions import workflow_of
from sessions_app.services.staff_edits import changes_told, row_audit

_DOCUMENTS = ("node_states", "performance_metrics", "metadata")


def workflow_run_create(
    *, project_id: int, values: Mapping[str, Any], now: datetime, caller: Caller | None = None
) -> WorkflowRun:
    """Record that a run began, and count it for its workflow.

    `values` names the workflow and the session by their text ids, as `workflow` (made when unknown) and `session_id`.
    A `caller` is named where a member of staff writes by hand, which the audit tells. Raises Conflict when the project
    has a run of that id, InvalidInput for an unknown session.
    """
    stated = {"started_at": now, **_resolved(project_id, values, now)}
    run = WorkflowRun(project_id=project_id, **stated)
    run.run_id = run.run_id or uuid7()
    check_times(run)
    try:
        with transaction.atomic():
            # The workflow's row comes first, as it does for those who store many runs.
            _count_use(run)
            run.save(force_insert=True)
            if caller is not None:
                row_audit(row=run, verb="create", changes={}, caller=caller, now=now)
    except IntegrityError as error:
        raise Conflict("There is a run of this id already.") from error
    return run


def workflow_run_save(
    *, project_id: int, run_id: str, values: Mapping[str, Any], now: datetime
) -> tuple[WorkflowRun, bool]:
    """Record the run, or replace the stated values of it; return it and whether it is new. Raises InvalidInput."""
    run = WorkflowRun.objects.filter(project_id=project_id, run_id=run_id).first()
    if run is None:
        return workflow_run_create(project_id=project_id, values={**values, "run_id": run_id}, now=now), True
    return workflow_run_update(run=run, values=values, now=now, merge=False), False


@transaction.atomic
def workflow_run_delete(*, run: WorkflowRun, now: datetime, caller: Caller | None = None) -> None:
    """Remove a run. That its workflow was used stays counted: old runs may go without making it look unused."""
    if caller is not None:
        row_audit(row=run, verb="delete", changes={}, caller=caller, now=now)
    run.delete()


def _count_use(run: WorkflowRun) -> None:
    """Count the run for its workflow in one statement, which loses nothing to others that count at the same time."""
    latest = Greatest(Coalesce(F("last_used_at"), run.started_at), run.started_at)
    Workflow.objects.filter(pk=run.workflow_id).update(usage_count=F("usage_count") + 1, last_used_at=latest)


@transaction.atomic
def workflow_run_update(
    *, run: WorkflowRun, values: Mapping[str, Any], now: datetime, merge: bool, caller: Caller | None = None
) -> WorkflowRun:
    """Change the stated values of a run; with `merge`, JSON documents merge (RFC 7396). Raises InvalidInput.

    A run that is said to be of another workflow is counted there, and not where it was any more.
    """
    before = row_locked(run)
    current: WorkflowRun = copy(before)
    stated = _resolved(current.project_id, values, now)
    for name, value in stated.items():
        setattr(current, name, _merged(getattr(current, name), name, value) if merge else value)
    check_times(current)
    current.save(force_update=True)
    if current.workflow_id != before.workflow_id:
        Workflow.objects.filter(pk=before.workflow_id, usage_count__gt=0).update(usage_count=F("usage_count") - 1)
        _count_use(current)
    elif current.started_at > before.started_at:
        Workflow.objects.filter(pk=current.workflow_id, last_used_at__lt=current.started_at).update(
            last_used_at=current.started_at
        )
    if caller is not None:
        changes = changes_told(before, current, stated)
        row_audit(row=current, verb="update", changes=changes, caller=caller, now=now)
    return current


def _merged(stored: Any, name: str, stated: Any) -> Any:
    if name in _DOCUMENTS:
        return merge_patch(stored, stated) or {}
    return [] if stated is None and name == "execution_path" else stated


def check_times(run: WorkflowRun) -> None:
    """Raise InvalidInput when the run ends before it begins, or took less than no time."""
    if run.finished_at is not None and run.finished_at < run.started_at:
        raise InvalidInput.at("/finished_at", "A run cannot finish before it starts.")
    if run.execution_time is not None and run.execution_time < 0:
        raise InvalidInput.at("/execution_time", "A time cannot be negative.")


def _resolved(project_id: int, values: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    """Return the values with the rows that the text ids name."""
    rows = {name: value for name, value in values.items() if name not in ("workflow", "session_id")}
    if "workflow" in values:
        rows["workflow"] = workflow_of(project_id, values["workflow"], now)
    if "session_id" in values:
        rows["session"] = _session(project_id, values["session_id"])
    return rows


def _session(project_id: int, session_id: str | None) -> Session | None:
    if session_id is None:
        return None
    session: Session | None = Session.objects.filter(project_id=project_id, session_id=session_id).first()
    if session is None:
        raise InvalidInput.at("/session_id", "There is no session of this id.")
    return session
