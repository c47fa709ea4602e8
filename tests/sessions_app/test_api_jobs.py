"""/api/jobs/: operators see how far work is, stop it and have it tried again; nobody else does."""

from datetime import timedelta

import pytest

from sessions_app.models import Job
from tests.factories import NOW, make_job

pytestmark = pytest.mark.django_db


def test_the_list_is_filtered_and_newest_first(operator, django_assert_num_queries):
    jobs = [make_job(kind=f"kind.{number % 2}", created_at=NOW + timedelta(minutes=number)) for number in range(6)]
    make_job(kind="kind.0", state="succeeded", due_at=None, finished_at=NOW)
    Job.objects.create(kind="system.canary", due_at=NOW)
    found = operator.get("/api/jobs/", {"kind": "kind.0", "state": "queued"}).json()["results"]
    assert [job["id"] for job in found] == [jobs[4].pk, jobs[2].pk, jobs[0].pk]
    later = (NOW + timedelta(minutes=4)).isoformat()
    assert len(operator.get("/api/jobs/", {"created_after": later}).json()["results"]) == 2
    with django_assert_num_queries(2):
        assert len(operator.get("/api/jobs/").json()["results"]) == 7


def test_one_job_shows_its_progress(operator):
    job = make_job(progress_done=3, progress_total=9, progress_text="tables", arguments={"name": "x"})
    shown = operator.get(f"/api/jobs/{job.pk}/").json()
    assert (shown["progress_done"], shown["progress_total"], shown["progress_text"]) == (3, 9, "tables")
    assert (shown["state"], shown["arguments"], shown["due_at"]) == ("queued", {"name": "x"}, "2026-03-14T09:26:53Z")


def test_a_job_is_stopped_and_tried_again(operator):
    job = make_job()
    assert operator.post(f"/api/jobs/{job.pk}/cancel/").json()["state"] == "cancelled"
    assert operator.post(f"/api/jobs/{job.pk}/cancel/").status_code == 409
    assert operator.post(f"/api/jobs/{job.pk}/retry/").json()["state"] == "queued"
    assert operator.post(f"/api/jobs/{job.pk}/retry/").status_code == 409


def test_a_running_job_is_asked_to_stop(operator):
    job = make_job(state="running", attempts=1, fence=1)
    answer = operator.post(f"/api/jobs/{job.pk}/cancel/").json()
    assert (answer["state"], answer["cancel_requested"]) == ("running", True)


def test_behind_the_wall_there_is_no_job(outsider, operator):
    job = make_job()
    system = Job.objects.create(kind="system.canary", due_at=NOW)
    for pk in (job.pk, system.pk, 10**9):
        caller = outsider if pk == job.pk else operator
        assert caller.get(f"/api/jobs/{pk}/").status_code == 404
        assert caller.post(f"/api/jobs/{pk}/cancel/").status_code == 404
        assert caller.post(f"/api/jobs/{pk}/retry/").status_code == 404
    assert outsider.get("/api/jobs/").json()["results"] == []


@pytest.mark.parametrize("name", ["agent", "reader"])
def test_who_keeps_nothing_sees_no_jobs(name, request):
    caller, job = request.getfixturevalue(name), make_job()
    assert caller.get("/api/jobs/").status_code == 403
    assert caller.get(f"/api/jobs/{job.pk}/").status_code == 403
    assert caller.post(f"/api/jobs/{job.pk}/cancel/").status_code == 403


@pytest.mark.parametrize(
    "query",
    [{"state": "asleep"}, {"created_after": "soon"}, {"colour": "red"}, {"kind": "a\x00b"}, {"ordering": "kind"}],
)
def test_a_bad_filter_is_named(operator, query):
    answer = operator.get("/api/jobs/", query)
    assert answer.status_code == 400
    assert next(iter(query)) in answer.text
