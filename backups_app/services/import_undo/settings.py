"""Takes out what a run brought beside its sessions: settings and workflow definitions."""

from collections import Counter
from collections.abc import Callable
from datetime import datetime
from typing import Any, NamedTuple

from django.db import transaction
from django.db.models import Count, Max, TextField, Value
from django.db.models.functions import Concat

from backups_app.models import ImportOrigin, ImportRun
from config.shared.callers import Caller
from sessions_app.models import (
    AuditEntry,
    KnowledgeSource,
    ProviderKey,
    Session,
    SystemConfig,
    UserConfig,
    Workflow,
    WorkflowRun,
)
from sessions_app.services.configs import config_delete, config_rollback
from sessions_app.services.staff_edits import row_delete
from sessions_app.services.user_configs import provider_key_delete, user_config_delete
from sessions_app.services.workflows import workflow_delete, workflow_update


class Kind(NamedTuple):
    """A kind of rows beside sessions: its table, the column of its id, and how one goes."""

    table: Any
    key: str
    remove: Callable[[Any, datetime, Caller], Any]
    # What the audit calls it, where its time of change is the source's own and says nothing.
    audited: str = ""


def _config_remove(row: SystemConfig, now: datetime, caller: Caller) -> None:
    """A setting that gave way to the imported one comes back."""
    if row.version == 1:
        config_delete(config=row, now=now, caller=caller)
    else:
        before = row.version - 1
        config_rollback(project_id=row.project_id, key=row.key, version=before, now=now, caller=caller)


def _workflow_empty(row: Workflow, now: datetime, caller: Caller) -> None:
    """Leave of a definition that was filled no more than its name, and the uses that stay."""
    kept = {"id", "project", "workflow_id", "created_at", "updated_at"}
    values = {field.name: field.get_default() for field in row._meta.concrete_fields if field.name not in kept}
    used = row.runs.aggregate(usage_count=Count("pk"), last_used_at=Max("started_at"))
    values |= {"name": row.workflow_id, **used}
    workflow_update(workflow=row, values=values, now=now, caller=caller)


def _workflow_remove(row: Workflow, now: datetime, caller: Caller) -> None:
    workflow_delete(workflow=row, now=now, caller=caller)


def _user_remove(row: UserConfig, now: datetime, caller: Caller) -> None:
    user_config_delete(user_config=row, now=now, caller=caller)


def _provider_key_remove(row: ProviderKey, now: datetime, caller: Caller) -> None:
    provider_key_delete(user_config=row.user_config, provider=row.provider, now=now, caller=caller)


def _source_remove(row: KnowledgeSource, now: datetime, caller: Caller) -> None:
    """To mark it as deleted would leave it there."""
    row_delete(row=row, caller=caller, now=now)


# A kind of an import that stands beside sessions is one line here. The order is that of going.
KINDS = {
    "config": Kind(SystemConfig, "key", _config_remove),
    "workflow": Kind(Workflow, "workflow_id", _workflow_remove),
    "named_workflow": Kind(Workflow, "workflow_id", _workflow_remove),
    "filled_workflow": Kind(Workflow, "workflow_id", _workflow_empty),
    "provider_key": Kind(ProviderKey, "", _provider_key_remove, "user_config"),
    "user_config": Kind(UserConfig, "user_id", _user_remove, "user_config"),
    "knowledge_source": Kind(KnowledgeSource, "pk", _source_remove, "knowledge_source"),
}


def look_beside(run: ImportRun) -> tuple[Counter[str], list[str]]:
    """Count what would go beside the sessions, by kind, and say what stands in the way."""
    counts: Counter[str] = Counter()
    obstacles: list[str] = []
    for kind, names in _brought(run).items():
        counts[kind] += len(names)
        if kind in KINDS:
            obstacles += _obstacles(run, kind, names)
        else:
            obstacles += [f"{kind} {name!r:.300} cannot be taken back" for name in names]
    return counts, obstacles


@transaction.atomic
def take_out_beside(run: ImportRun, now: datetime, caller: Caller) -> None:
    """Remove what the run brought beside its sessions, which are gone by now."""
    brought = _brought(run)
    for kind, known in KINDS.items():
        for row in _rows(run, kind, brought.get(kind, [])).order_by("pk"):
            known.remove(row, now, caller)
    ImportOrigin.objects.filter(run=run).delete()


def _brought(run: ImportRun) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for row in ImportOrigin.objects.filter(run=run, session=None):
        records: Any = row.records
        for kind, entries in records.items():
            found.setdefault(kind, []).extend(entry[0] for entry in entries)
    return found


def _rows(run: ImportRun, kind: str, names: list[str]) -> Any:
    """The rows of a kind by what an origin calls them; a provider's key is called `user/provider`."""
    table, key = KINDS[kind].table, KINDS[kind].key
    if table is not ProviderKey:
        return table.objects.filter(project_id=run.project_id, **{f"{key}__in": names})
    rows = ProviderKey.objects.filter(user_config__project=run.project_id).select_related("user_config")
    named = Concat("user_config__user_id", Value("/"), "provider", output_field=TextField())
    return rows.annotate(called=named).filter(called__in=names)


def _obstacles(run: ImportRun, kind: str, names: list[str]) -> list[str]:
    known, rows = KINDS[kind], _rows(run, kind, names)
    if known.audited:
        touched = names if known.table is not ProviderKey else [name.rpartition("/")[0] for name in names]
        entries = AuditEntry.objects.filter(project_id=run.project_id, target_type=known.audited, at__gt=run.started_at)
        changed = entries.filter(target_id__in=touched).values_list("target_id", flat=True).distinct()
    else:
        changed = rows.exclude(updated_at=run.started_at).values_list(known.key, flat=True)
    found = [f"{kind} {name!r:.300} was changed since" for name in changed]
    if known.table is Workflow and kind != "filled_workflow":
        found += _users(run, rows)
    return found


def _users(run: ImportRun, workflows: Any) -> list[str]:
    """The sessions and runs that use one of these workflows and are not the import's."""
    own = ImportOrigin.objects.filter(run=run, session__isnull=False).values("session_id")
    sessions = Session.objects.filter(workflow__in=workflows).exclude(pk__in=own)
    runs = WorkflowRun.objects.filter(workflow__in=workflows).exclude(session__in=own)
    found = [f"the session {name!r:.300} uses one of its workflows" for name in _few(sessions, "session_id")]
    return found + [f"the workflow run {name!r:.300} is of one of its workflows" for name in _few(runs, "run_id")]


def _few(rows: Any, column: str) -> list[str]:
    return list(rows.order_by("pk").values_list(column, flat=True)[:100])
