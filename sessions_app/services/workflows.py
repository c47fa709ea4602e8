"""Workflows, the definitions."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction

from config.shared.callers import Caller
from config.shared.errors import Conflict
from config.shared.merging import patched
from config.shared.querysets import row_locked
from sessions_app.models import Workflow
from sessions_app.services.audit import audit_record, changed_fields

_PLAIN = ("name", "description", "version", "config_path", "layout_algorithm")
_GRAPH = ("nodes", "edges", "config", "node_positions", "visualization_settings")


def workflow_ensure(*, project_id: int, workflow_ids: Iterable[str], now: datetime) -> dict[str, Workflow]:
    """Return the project's workflows of these text ids, making those that are missing with the id as their name."""
    wanted = set(workflow_ids)
    if not wanted:
        return {}
    rows = Workflow.objects.filter(project_id=project_id, workflow_id__in=wanted)
    found = {row.workflow_id: row for row in rows}
    missing = wanted - found.keys()
    if missing:
        made = [
            Workflow(project_id=project_id, workflow_id=each, name=each, created_at=now, updated_at=now)
            for each in sorted(missing)
        ]
        # Somebody else may make the same one at this moment: then theirs is taken.
        Workflow.objects.bulk_create(made, ignore_conflicts=True)
        found = {row.workflow_id: row for row in rows.all()}
    return found


def workflow_create(
    *, project_id: int, workflow_id: str, values: Mapping[str, Any], now: datetime, caller: Caller
) -> Workflow:
    """Make a definition. Raises Conflict when the project has one of that id."""
    try:
        return _insert(project_id, workflow_id, values, now, caller)
    except IntegrityError as error:
        raise Conflict("There is a workflow of this id already.") from error


@transaction.atomic
def _insert(project_id: int, workflow_id: str, values: Mapping[str, Any], now: datetime, caller: Caller) -> Workflow:
    stated = {"name": workflow_id, "created_at": now, "updated_at": now, **values}
    workflow = Workflow(project_id=project_id, workflow_id=workflow_id, **stated)
    workflow.save(force_insert=True)
    _audit(workflow, "workflow.create", {"name": workflow.name, "version": workflow.version}, caller, now)
    return workflow


@transaction.atomic
def workflow_save(
    *, project_id: int, workflow_id: str, values: Mapping[str, Any], now: datetime, caller: Caller
) -> tuple[Workflow, bool]:
    """Create the definition or change the stated values of it; return it and whether it is new."""
    workflow = Workflow.objects.filter(project_id=project_id, workflow_id=workflow_id).first()
    if workflow is None:
        created = workflow_create(project_id=project_id, workflow_id=workflow_id, values=values, now=now, caller=caller)
        return created, True
    return workflow_update(workflow=workflow, values=values, now=now, caller=caller), False


@transaction.atomic
def workflow_update(
    *, workflow: Workflow, values: Mapping[str, Any], merge: bool = False, now: datetime, caller: Caller
) -> Workflow:
    """Change the stated values of a definition; with `merge`, JSON objects merge (RFC 7396).

    A write that changes nothing leaves no trace.
    """
    current = row_locked(workflow)
    before = {name: getattr(current, name) for name in values}
    if merge:
        values = {name: patched(before[name], value) for name, value in values.items()}
    changed = [name for name in values if before[name] != values[name]]
    if not changed:
        return current
    for name in changed:
        setattr(current, name, values[name])
    current.updated_at = now
    current.save(update_fields=[*changed, "updated_at"])
    told = changed_fields(before, {name: values[name] for name in changed if name in _PLAIN})
    # A graph would swell the log; that it changed is what is told.
    told.update({name: "changed" for name in changed if name in _GRAPH})
    _audit(current, "workflow.update", told, caller, now)
    return current


@transaction.atomic
def workflow_delete(*, workflow: Workflow, now: datetime, caller: Caller) -> None:
    """Remove a definition with its runs; sessions that named it stay, without a workflow."""
    runs = workflow.runs.count()
    workflow.delete()
    _audit(workflow, "workflow.delete", {"name": workflow.name, "runs": runs}, caller, now)


def _audit(workflow: Workflow, action: str, changes: Mapping[str, Any], caller: Caller, now: datetime) -> None:
    audit_record(
        project_id=workflow.project_id,
        caller=caller,
        action=action,
        target_type="workflow",
        target_id=workflow.workflow_id,
        changes=changes,
        now=now,
    )
