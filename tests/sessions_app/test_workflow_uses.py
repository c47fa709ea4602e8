"""How often a workflow was used, and when last: kept right by runs, whoever stores, moves or deletes them."""

import threading
from datetime import timedelta

import pytest
from django.db import connection, connections

from sessions_app.models import AuditEntry, Workflow, WorkflowRun
from sessions_app.services.drafts import RunDraft, SessionDraft
from sessions_app.services.session_batches import sessions_write
from sessions_app.services.workflow_runs import workflow_run_create
from tests.factories import make_workflow

LATER = timedelta(days=1)


def _uses(name: str) -> tuple[int, object]:
    workflow = Workflow.objects.get(workflow_id=name)
    return workflow.usage_count, workflow.last_used_at


@pytest.mark.django_db
def test_a_run_of_another_workflow_moves_its_use(owner, now):
    owner.put("/api/workflow-runs/r1/", {"workflow": "a", "started_at": now.isoformat()})
    owner.patch("/api/workflow-runs/r1/", {"workflow": "b"})
    assert _uses("a")[0] == 0
    assert _uses("b") == (1, now)


@pytest.mark.django_db
def test_a_deleted_run_stays_counted(owner):
    owner.put("/api/workflow-runs/r1/", {"workflow": "a"})
    owner.delete("/api/workflow-runs/r1/")
    assert _uses("a")[0] == 1


@pytest.mark.django_db
def test_a_run_that_is_said_to_have_begun_later_was_used_later(owner, now):
    owner.put("/api/workflow-runs/r1/", {"workflow": "a", "started_at": now.isoformat()})
    owner.patch("/api/workflow-runs/r1/", {"started_at": (now + LATER).isoformat()})
    assert _uses("a") == (1, now + LATER)


def _draft(number: int, now, **run) -> SessionDraft:
    draft = RunDraft(run_id=f"r{number}", workflow="a", started_at=now + timedelta(minutes=number), **run)
    return SessionDraft(session_id=f"s{number}", runs=[draft])


@pytest.mark.django_db
def test_runs_that_come_with_sessions_are_counted_once(project, now):
    drafts = [_draft(number, now) for number in range(3)]
    sessions_write(project_id=project.pk, drafts=drafts, now=now)
    sessions_write(project_id=project.pk, drafts=drafts, now=now)
    assert _uses("a") == (3, now + timedelta(minutes=2))
    assert WorkflowRun.objects.count() == 3


@pytest.mark.django_db
def test_runs_that_the_workflows_own_number_holds_are_not_added_to_it(project, now):
    make_workflow(project=project, workflow_id="a", usage_count=42)
    sessions_write(project_id=project.pk, drafts=[_draft(1, now, is_counted=True), _draft(2, now)], now=now)
    assert _uses("a") == (43, now + timedelta(minutes=2))


@pytest.mark.django_db
def test_a_run_that_staff_add_is_counted_and_told(staff_admin, project, now):
    workflow = make_workflow(project=project, workflow_id="a")
    page = "/admin/sessions_app/workflowrun/"
    form = {
        "project": project.pk,
        "run_id": "r1",
        "workflow": workflow.pk,
        "status": "running",
        "started_at_0": "2026-03-14",
        "started_at_1": "09:00:00",
    }
    assert staff_admin.post(f"{page}add/", form).status_code == 302
    assert _uses("a")[0] == 1
    run = WorkflowRun.objects.get()
    change = {**form, "status": "completed", "current_node": "end"}
    assert staff_admin.post(f"{page}{run.pk}/change/", change).status_code == 302
    run.refresh_from_db()
    assert (run.status, run.current_node) == ("completed", "end")
    staff_admin.post(f"{page}{run.pk}/delete/", {"post": "yes"})
    assert not WorkflowRun.objects.exists()
    told = list(AuditEntry.objects.filter(target_type="workflow_run").values_list("action", flat=True))
    assert told == ["workflow_run.create", "workflow_run.update", "workflow_run.delete"]


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(
    connection.vendor == "sqlite", reason="the tests' SQLite is in memory, which threads cannot share under load"
)
def test_no_use_is_lost_between_runs_and_imports_at_once(project, now):
    faults: list[Exception] = []

    def run(work, numbers) -> None:
        try:
            for number in numbers:
                work(number)
        except Exception as error:  # noqa: BLE001 - told by the test's own thread
            faults.append(error)
        finally:
            connections.close_all()

    def record(number: int) -> None:
        workflow_run_create(project_id=project.pk, values={"workflow": "a", "run_id": f"n{number}"}, now=now)

    def bring_in(number: int) -> None:
        # The neighbours bring the same runs in: each is counted once.
        drafts = [_draft(number % 10 * 3 + step, now) for step in range(3)]
        sessions_write(project_id=project.pk, drafts=drafts, now=now)

    make_workflow(project=project, workflow_id="a")
    kinds = [(record, range(10)), (record, range(10, 20)), (bring_in, range(10)), (bring_in, range(5, 15))]
    threads = [threading.Thread(target=run, args=kind) for kind in kinds]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []
    assert WorkflowRun.objects.count() == 50
    assert _uses("a")[0] == 50
