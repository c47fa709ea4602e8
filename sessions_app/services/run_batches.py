"""Many workflow runs at once, stored and counted as uses of their workflows."""

from datetime import datetime

from django.db.models import F
from django.db.models.functions import Coalesce, Greatest

from config.shared.bulk_rows import rows_insert
from sessions_app.models import Workflow, WorkflowRun

IDS_PER_STATEMENT = 500


def runs_store(project_id: int, runs: list[tuple[WorkflowRun, bool]]) -> None:
    """Store the runs whose ids are new, in the caller's transaction; ids of runs are the source's own.

    Each comes with whether its workflow's number of uses holds it already; the others are added to that number. The
    workflows are held first, in one order, so that nobody else stores one of these runs in between; where a run of
    this id comes to another workflow meanwhile, IntegrityError is raised.
    """
    if not runs:
        return
    workflows = sorted({run.workflow_id for run, _is_counted in runs})
    list(Workflow.objects.select_for_update().filter(pk__in=workflows).order_by("pk").values_list("pk"))
    there = _stored_ids(project_id, [run.run_id for run, _is_counted in runs])
    fresh: dict[str, tuple[WorkflowRun, bool]] = {}
    for run, is_counted in runs:
        if run.run_id not in there:
            fresh.setdefault(run.run_id, (run, is_counted))
    rows = [run for run, _is_counted in fresh.values()]
    rows_insert(rows)
    for pk in workflows:
        of_workflow = [(run, is_counted) for run, is_counted in fresh.values() if run.workflow_id == pk]
        if of_workflow:
            uses = sum(not is_counted for _run, is_counted in of_workflow)
            _count_uses(pk, uses, max(run.started_at for run, _is_counted in of_workflow))


def _stored_ids(project_id: int, run_ids: list[str]) -> set[str]:
    found: set[str] = set()
    for start in range(0, len(run_ids), IDS_PER_STATEMENT):
        some = run_ids[start : start + IDS_PER_STATEMENT]
        rows = WorkflowRun.objects.filter(project_id=project_id, run_id__in=some)
        found.update(rows.values_list("run_id", flat=True))
    return found


def _count_uses(workflow_pk: int, uses: int, latest: datetime) -> None:
    last_used = Greatest(Coalesce(F("last_used_at"), latest), latest)
    Workflow.objects.filter(pk=workflow_pk).update(usage_count=F("usage_count") + uses, last_used_at=last_used)
