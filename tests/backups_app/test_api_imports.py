"""Import runs over the API: what came of each, and what it could not take over."""

import pytest
from django.utils import timezone

from backups_app.models import ImportFinding, ImportRun
from sessions_app.models import AuditEntry
from sessions_app.services.jobs import job_enqueue, job_run
from tests.factories import make_import_finding, make_import_origin, make_import_run, make_session

pytestmark = pytest.mark.django_db


@pytest.fixture
def run(project):
    run = make_import_run(project=project, counts={"message": {"read": 3, "new": 2, "rejected": 1}})
    make_import_finding(run=run, level="rejected", kind="message", code="bad_json", path="a.jsonl", line=7, raw="{")
    make_import_finding(run=run, level="repaired", kind="message", code="bad_time", path="a.jsonl", line=8)
    return run


def test_a_run_is_shown_with_its_reconciliation(owner, run):
    (listed,) = owner.get("/api/import-runs/").json()["results"]
    assert (listed["id"], listed["counts"]) == (run.pk, {"message": {"read": 3, "new": 2, "rejected": 1}})
    assert owner.get(f"/api/import-runs/{run.pk}/").json() == listed


def test_findings_say_file_and_line(owner, run):
    rows = owner.get(f"/api/import-runs/{run.pk}/findings/").json()["results"]
    first, second = rows
    assert (first["level"], first["path"], first["line"], first["raw"]) == ("rejected", "a.jsonl", 7, "{")
    for name, value in (("level", "repaired"), ("code", "bad_time"), ("kind", "message")):
        assert second in owner.get(f"/api/import-runs/{run.pk}/findings/", {name: value}).json()["results"]
    assert owner.get(f"/api/import-runs/{run.pk}/findings/", {"level": "odd"}).status_code == 400


def test_runs_are_filtered(owner, run):
    assert len(owner.get("/api/import-runs/", {"status": run.status}).json()["results"]) == 1
    assert owner.get("/api/import-runs/", {"status": "failed"}).json()["results"] == []
    assert owner.get("/api/import-runs/", {"end": "2000-01-01T00:00:00Z"}).json()["results"] == []


def test_a_reader_does_not_see_what_stood_in_the_source(reader, run):
    row = reader.get(f"/api/import-runs/{run.pk}/findings/").json()["results"][0]
    assert (row["raw"], row["detail"], row["code"]) == ("********", "********", "bad_json")


def test_an_operator_removes_a_run_with_its_findings(operator, agent, run):
    path = f"/api/import-runs/{run.pk}/"
    assert agent.delete(path).status_code == 403
    assert operator.delete(path).status_code == 204
    assert (ImportRun.objects.count(), ImportFinding.objects.count()) == (0, 0)
    assert AuditEntry.objects.filter(action="import_run.delete").count() == 1


def test_runs_are_made_by_the_command_only(owner, run):
    assert owner.post("/api/import-runs/", {"source": "x"}).status_code == 405
    assert owner.patch(f"/api/import-runs/{run.pk}/", {"source": "x"}).status_code == 405


def test_an_outsider_sees_no_run_and_no_finding(outsider, run):
    assert outsider.get("/api/import-runs/").json()["results"] == []
    for path in (f"/api/import-runs/{run.pk}/", f"/api/import-runs/{run.pk}/findings/"):
        assert outsider.get(path).status_code == 404
        assert outsider.delete(path).status_code in (404, 405)


def test_lists_take_a_fixed_number_of_queries(owner, run, django_assert_num_queries):
    for path, queries in (("/api/import-runs/", 2), (f"/api/import-runs/{run.pk}/findings/", 3)):
        owner.get(path)
        with django_assert_num_queries(queries):
            owner.get(path)


@pytest.fixture
def origin(run, project):
    session = make_session(project=project, session_id="s1")
    return make_import_origin(run=run, session=session, path="a.jsonl", records={"message": [["m1", 7], ["m2"]]})


def test_where_a_row_comes_from_is_listed_and_filtered(owner, run, origin):
    make_import_origin(session=origin.session, path="b.jsonl", records={"config": [["k", None, "settings", "k"]]},
                       assumed_timezone="Asia/Shanghai")  # fmt: skip
    (first,) = owner.get("/api/import-origins/", {"import_run": run.pk}).json()["results"]
    assert first == {
        "id": origin.pk,
        "import_run": run.pk,
        "source": "old-store",
        "path": "a.jsonl",
        "session_id": "s1",
        "assumed_timezone": "",
        "records": [
            {"kind": "message", "id": "m1", "line": 7, "table": None, "key": None},
            {"kind": "message", "id": "m2", "line": None, "table": None, "key": None},
        ],
    }
    for name, value, found in (
        ("session_id", "s1", 2), ("session_id", "s2", 0), ("path", "a.jsonl", 1), ("source", "old-store", 2),
        ("source", "none", 0), ("import_run", run.pk + 100, 0), ("assumed_timezone", "Asia/Shanghai", 1),
    ):  # fmt: skip
        assert len(owner.get("/api/import-origins/", {name: value}).json()["results"]) == found, (name, value)
    assert owner.get("/api/import-origins/", {"import_run": "x"}).status_code == 400


def test_an_outsider_sees_no_origin(outsider, origin):
    assert outsider.get("/api/import-origins/").json()["results"] == []
    assert outsider.get("/api/import-origins/", {"session_id": "s1"}).json()["results"] == []


def test_origins_take_a_fixed_number_of_queries(owner, origin, django_assert_num_queries):
    make_import_origin(session=origin.session)
    owner.get("/api/import-origins/")
    with django_assert_num_queries(2):
        owner.get("/api/import-origins/")


def test_a_job_marks_the_imports_whose_process_died(run, now):
    ImportRun.objects.filter(pk=run.pk).update(status="running", lease_until=now, worker="elsewhere 1")
    job_run(job_id=job_enqueue(kind="imports.interrupt_stale", now=timezone.now()).pk)
    assert ImportRun.objects.get().status == "interrupted"
