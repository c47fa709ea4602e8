"""Workflows and their runs over the API."""

import pytest

from sessions_app.models import AuditEntry, Workflow
from tests.factories import make_session

pytestmark = pytest.mark.django_db

GRAPH = {
    "workflow_id": "support",
    "name": "Support",
    "version": "1.0",
    "nodes": [{"id": "think"}],
    "edges": [{"from": "think", "to": "act"}],
    "config": {"retries": 2},
}


def test_a_workflow_is_made_changed_and_removed(owner):
    assert owner.post("/api/workflows/", GRAPH).status_code == 201
    assert owner.post("/api/workflows/", GRAPH).status_code == 409
    body = owner.patch("/api/workflows/support/", {"config": {"timeout": 5}, "version": "1.1"}).json()
    assert (body["config"], body["version"], body["nodes"]) == ({"retries": 2, "timeout": 5}, "1.1", GRAPH["nodes"])
    body = owner.put("/api/workflows/support/", {"nodes": []}).json()
    assert (body["name"], body["config"], body["nodes"], body["version"]) == ("support", {}, [], "")
    assert owner.put("/api/workflows/other%2Fone/", {}).status_code == 201
    assert owner.delete("/api/workflows/support/").status_code == 204
    assert owner.get("/api/workflows/support/").status_code == 404
    actions = list(AuditEntry.objects.filter(target_type="workflow").values_list("action", flat=True))
    assert actions == ["workflow.create", "workflow.update", "workflow.update", "workflow.create", "workflow.delete"]


def test_workflows_are_found_by_the_beginning_of_their_id(owner):
    for name in ("app.a", "app.b", "b"):
        owner.put(f"/api/workflows/{name}/", {})
    rows = owner.get("/api/workflows/", {"prefix": "app."}).json()["results"]
    assert {row["workflow_id"] for row in rows} == {"app.a", "app.b"}


def test_a_run_counts_as_one_use_of_its_workflow(owner):
    make_session(session_id="s1")
    answer = owner.post("/api/workflow-runs/", {"workflow": "support", "session_id": "s1", "current_node": "think"})
    assert answer.status_code == 201
    run = answer.json()
    assert (run["status"], run["session_id"], run["workflow"]) == ("running", "s1", "support")
    changed = owner.patch(
        f"/api/workflow-runs/{run['run_id']}/",
        {"status": "completed", "node_states": {"think": "done"}, "execution_time": 1.5},
    ).json()
    assert (changed["status"], changed["node_states"], changed["current_node"]) == (
        "completed",
        {"think": "done"},
        "think",
    )
    workflow = Workflow.objects.get(workflow_id="support")
    assert workflow.usage_count == 1
    assert workflow.last_used_at is not None


def test_a_run_is_saved_under_its_own_id(owner):
    path = "/api/workflow-runs/run%201/"
    assert owner.put(path, {"workflow": "w", "metadata": {"a": 1}}).status_code == 201
    again = owner.put(path, {"workflow": "w", "status": "failed"})
    assert (again.status_code, again.json()["metadata"], again.json()["status"]) == (200, {}, "failed")
    assert owner.post("/api/workflow-runs/", {"run_id": "run 1", "workflow": "w"}).status_code == 409
    assert Workflow.objects.get(workflow_id="w").usage_count == 1
    assert owner.delete(path).status_code == 204


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"session_id": "s1"}, "/workflow"),
        ({"workflow": "w", "session_id": "absent"}, "/session_id"),
        ({"workflow": "w", "execution_time": -1}, "/execution_time"),
        (
            {"workflow": "w", "started_at": "2026-01-02T00:00:00Z", "finished_at": "2026-01-01T00:00:00Z"},
            "/finished_at",
        ),
        ({"workflow": None}, "/workflow"),
        ({"workflow": ""}, "/workflow"),
    ],
)
def test_a_run_that_cannot_be_is_refused_by_name(owner, body, pointer):
    answer = owner.post("/api/workflow-runs/", body)
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["pointer"] == pointer


def test_runs_are_found_by_what_they_belong_to(owner):
    make_session(session_id="s1")
    owner.put("/api/workflow-runs/r1/", {"workflow": "a", "session_id": "s1", "started_at": "2026-01-01T00:00:00Z"})
    owner.put("/api/workflow-runs/r2/", {"workflow": "b", "status": "failed", "started_at": "2026-01-02T00:00:00Z"})
    for params, found in [
        ({"workflow": "a"}, ["r1"]),
        ({"session_id": "s1"}, ["r1"]),
        ({"status": "failed"}, ["r2"]),
        ({"started_after": "2026-01-02T00:00:00Z"}, ["r2"]),
        ({}, ["r2", "r1"]),
    ]:
        assert [row["run_id"] for row in owner.get("/api/workflow-runs/", params).json()["results"]] == found


@pytest.mark.parametrize("path", ["/api/workflows/", "/api/workflow-runs/"])
@pytest.mark.parametrize("size", [1, 20])
def test_the_lists_take_two_queries(owner, django_assert_num_queries, path, size):
    make_session(session_id="s1")
    for number in range(size):
        owner.put(f"/api/workflow-runs/r{number}/", {"workflow": f"w{number}", "session_id": "s1"})
    with django_assert_num_queries(2):
        assert len(owner.get(path).json()["results"]) == size
