"""The wall between projects: for an outsider nothing of another project is there."""

import pytest

from sessions_app.models import Job, KnowledgeSource, Session
from tests.factories import make_job, make_session

pytestmark = pytest.mark.django_db


@pytest.fixture
def theirs(owner):
    """One row of everything in the default project; returns the paths of the rows."""
    session = make_session(session_id="s1", user_id="u1")
    owner.put("/api/sessions/s1/", {"tags": ["vip"], "workflow": "w"})
    owner.put("/api/sessions/s1/state/", {"data": {"a": 1}})
    owner.put("/api/workflow-runs/r1/", {"workflow": "w", "session_id": "s1"})
    owner.put("/api/user-configs/u1/", {"preferences": {"a": 1}, "api_keys": {"openai": "sk-0123456789abcdef"}})
    owner.put("/api/documents/ns/k/", {"value": 1})
    owner.put("/api/configs/own/", {"value": 1})
    source = owner.post("/api/knowledge-sources/", {"source_name": "n", "source_path": "p", "source_type": "t"}).json()
    key = owner.post("/api/api-keys/", {"name": "bot"}).json()
    entry = owner.get("/api/audit-log/").json()["results"][0]
    assert session.pk
    return [
        "/api/sessions/s1/",
        "/api/sessions/s1/state/",
        "/api/sessions/s1/checkpoints/1/",
        "/api/workflows/w/",
        "/api/workflow-runs/r1/",
        "/api/user-configs/u1/",
        "/api/documents/ns/k/",
        "/api/configs/own/",
        f"/api/knowledge-sources/{source['id']}/",
        f"/api/api-keys/{key['prefix']}/",
        f"/api/audit-log/{entry['id']}/",
        "/api/projects/default/",
        f"/api/jobs/{make_job().pk}/",
    ]


def test_an_outsider_cannot_read_anything(outsider, owner, theirs):
    for path in theirs:
        assert owner.get(path).status_code == 200, path
        assert outsider.get(path).status_code == 404, path


def test_an_outsider_cannot_change_or_remove_anything(outsider, owner, theirs):
    for path in theirs:
        before = owner.get(path).json()
        assert outsider.patch(path, {}).status_code in (403, 404, 405), path
        assert outsider.delete(path).status_code in (404, 405), path
        assert owner.get(path).json() == before, path


def test_an_outsider_cannot_act(outsider, owner, theirs):
    for path, body in [
        ("/api/sessions/s1/checkpoints/1/rollback/", None),
        ("/api/sessions/s1/heartbeat/", {"agent_id": "x"}),
        ("/api/user-configs/u1/api-keys/reveal/", {"provider": "openai"}),
        (f"/api/knowledge-sources/{KnowledgeSource.objects.get().pk}/undelete/", None),
        (f"/api/jobs/{Job.objects.get().pk}/cancel/", None),
        (f"/api/jobs/{Job.objects.get().pk}/retry/", None),
    ]:
        assert outsider.post(path, body).status_code == 404, path
    assert outsider.put("/api/sessions/s1/state/", {}).status_code == 404
    assert outsider.get("/api/sessions/s1/checkpoints/").status_code == 404
    assert outsider.get("/api/workflows/w/graph.svg").status_code == 404
    owner.post("/api/config-snapshots/", {"name": "mine"})
    assert outsider.get("/api/config-snapshots/mine/").status_code == 404
    assert outsider.post("/api/config-snapshots/mine/restore/", {}).status_code == 404
    assert outsider.get("/api/configs/own/history/").status_code == 404
    assert outsider.post("/api/configs/own/rollback/", {"version": 1}).status_code == 404


def test_an_outsiders_lists_are_empty(outsider, theirs):
    for path in (
        "/api/sessions/",
        "/api/workflows/",
        "/api/workflow-runs/",
        "/api/user-configs/",
        "/api/knowledge-sources/",
        "/api/documents/ns/",
    ):
        page = outsider.get(path, {"count": "true"}).json()
        assert page == {"count": 0, "next": None, "previous": None, "results": []}
    for params in ({"tag": "vip"}, {"q": "s"}, {"user_id": "u1"}, {"session_id": "s1"}, {"workflow": "w"}):
        assert outsider.get("/api/sessions/", params).json()["results"] == []
    assert outsider.get("/api/sessions/status/").json()["total"] == 0
    assert {row["name"] for row in outsider.get("/api/api-keys/").json()["results"]} == {"outsider"}


def test_the_same_ids_live_on_both_sides(outsider, owner, theirs):
    for path, body in [
        ("/api/sessions/s1/", {"title": "other", "workflow": "w"}),
        ("/api/user-configs/u1/", {"preferences": {"b": 2}}),
        ("/api/documents/ns/k/", {"value": 2}),
        ("/api/configs/own/", {"value": 2}),
        ("/api/workflow-runs/r1/", {"workflow": "w", "session_id": "s1"}),
    ]:
        assert outsider.put(path, body).status_code == 201, path
    assert owner.get("/api/sessions/s1/").json()["title"] == ""
    assert owner.get("/api/documents/ns/k/").json()["value"] == 1
    assert Session.objects.filter(session_id="s1").count() == 2


def test_a_run_cannot_name_a_session_behind_the_wall(outsider, theirs):
    answer = outsider.post("/api/workflow-runs/", {"workflow": "w", "session_id": "s1"})
    assert answer.status_code == 400


def test_every_route_with_an_id_is_behind_the_wall(outsider, theirs):
    """A route that is added without a row here fails, so that none is forgotten."""
    from sessions_app.api.urls import urlpatterns

    checked = {
        "session-detail",
        "session-state",
        "session-heartbeat",
        "checkpoint-list",
        "checkpoint-detail",
        "checkpoint-rollback",
        "workflow-detail",
        "workflow-graph",
        "workflow-run-detail",
        "user-config-detail",
        "user-config-reveal",
        "document-list",
        "document-detail",
        "config-detail",
        "config-history",
        "config-rollback",
        "config-snapshot-detail",
        "config-snapshot-restore",
        "job-cancel",
        "job-detail",
        "job-retry",
        "knowledge-source-detail",
        "knowledge-source-undelete",
        "api-key-detail",
        "audit-entry-detail",
        "project-detail",
    }
    with_ids = {pattern.name for pattern in urlpatterns if pattern.pattern.regex.groups}
    assert with_ids == checked
