"""Clean-up: what expired is marked, who is idle is released, what is being written to is left alone."""

import json
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.utils import timezone

from sessions_app.models import AgentResidency, Session, SessionActivity, SessionCount
from sessions_app.services.expiry import sessions_mark_expired
from sessions_app.services.jobs import job_enqueue, job_run
from sessions_app.services.pace import Pace
from sessions_app.services.session_counts import session_counts_difference, session_counts_repair
from tests.factories import make_message, make_residency, make_session

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)


def due(now, **fields):
    """Make a session whose time has run out."""
    return make_session(**{"expires_at": now - timedelta(seconds=1), "created_at": now - 2 * HOUR, **fields})


def test_what_is_due_is_marked_in_batches_and_nothing_else(project, now):
    expired = {due(now, status=status).pk for status in ("active", "paused", "inactive") for _ in range(3)}
    others = [due(now, status="completed"), make_session(expires_at=now + HOUR), make_session()]
    assert sessions_mark_expired(now=now, batch=2) == 9
    assert set(Session.objects.filter(status="expired").values_list("pk", flat=True)) == expired
    assert [Session.objects.get(pk=row.pk).version for row in others] == [1, 1, 1]
    assert sessions_mark_expired(now=now, batch=2) == 0


def test_a_bound_ends_the_call_and_the_next_one_goes_on(project, now):
    for _ in range(5):
        due(now)
    assert sessions_mark_expired(now=now, batch=2, at_most=3) == 4
    assert sessions_mark_expired(now=now, batch=2, at_most=3) == 1


def test_other_projects_are_left_alone(project, other_project, now):
    mine, theirs = due(now), due(now, project=other_project)
    assert sessions_mark_expired(now=now, projects={project.pk}) == 1
    assert Session.objects.get(pk=mine.pk).status == "expired"
    assert Session.objects.get(pk=theirs.pk).status == "active"


def test_a_session_without_an_activity_row_is_marked_too(project, now):
    session = due(now)
    SessionActivity.objects.filter(pk=session.pk).delete()
    assert sessions_mark_expired(now=now) == 1


def test_a_session_that_something_was_recorded_in_gets_a_new_end(project, now, settings):
    settings.SESSION_TTL = 3600
    session = due(now)
    SessionActivity.objects.filter(pk=session.pk).update(last_activity_at=now - timedelta(minutes=10))
    assert sessions_mark_expired(now=now) == 0
    session.refresh_from_db()
    assert (session.status, session.expires_at) == ("active", now + timedelta(minutes=50))


def test_the_api_releases_and_marks_and_touches_no_data(owner, project, other_project, now):
    at = timezone.now()
    session = due(at)
    message = make_message(session=session)
    make_residency(session=session, resident_since=at - HOUR, heartbeat_at=at - HOUR)
    foreign = due(at, project=other_project)
    make_residency(session=foreign, resident_since=at - HOUR, heartbeat_at=at - HOUR)
    make_residency(session=make_session(), resident_since=at, heartbeat_at=at)
    answer = owner.post("/api/sessions/cleanup/")
    assert (answer.status_code, answer.json()) == (200, {"released": 1, "expired": 1, "complete": True})
    assert owner.post("/api/sessions/cleanup").json() == {"released": 0, "expired": 0, "complete": True}
    assert AgentResidency.objects.filter(pk=foreign.pk).exists()
    assert [row["record_id"] for row in owner.get("/api/messages/").json()["results"]] == [message.record_id]
    assert owner.get(f"/api/sessions/{session.session_id}/").json()["status"] == "expired"


def test_a_reader_cleans_nothing_up(reader):
    assert reader.post("/api/sessions/cleanup/").status_code == 403


@pytest.mark.parametrize("query", ["idle_seconds=0", "at_most=5", "project=nowhere"])
def test_a_parameter_that_means_nothing_is_refused(owner, query):
    assert owner.post(f"/api/sessions/cleanup/?{query}").status_code in (400, 404)


def test_the_command_and_the_jobs_do_the_same(project):
    at = timezone.now()
    make_residency(session=due(at), resident_since=at - HOUR, heartbeat_at=at - HOUR)
    out = StringIO()
    call_command("cleanup_sessions", "--json", stdout=out)
    assert json.loads(out.getvalue()) == {
        "expired": 1,
        "released": 1,
        "complete": True,
        "removed": 0,
        "deleted_elsewhere": 0,
    }
    out = StringIO()
    call_command("cleanup_sessions", "--project", "default", stdout=out)
    assert out.getvalue().startswith("0 sessions marked as expired, 0 idle agents released.\n")
    make_residency(session=due(at), resident_since=at - HOUR, heartbeat_at=at - HOUR)
    for kind in ("sessions.mark_expired", "agents.release_idle", "sessions.purge", "sessions.delete_elsewhere"):
        job = job_enqueue(kind=kind, now=timezone.now())
        job_run(job_id=job.pk)
        job.refresh_from_db()
        assert job.state == "succeeded", job.error
    assert (Session.objects.filter(status="active").count(), AgentResidency.objects.count()) == (0, 0)


def test_the_command_says_what_it_cannot_do(project, settings):
    with pytest.raises(CommandError, match="no project 'nowhere'"):
        call_command("cleanup_sessions", "--project", "nowhere")
    settings.REDIS_URL = "redis://127.0.0.1:9/0"
    with pytest.raises(CommandError, match="residency is away"):
        call_command("cleanup_sessions")


# The counts that the status page is made of


def counted(project) -> dict[str, int]:
    """Return what the counts of a project come to."""
    from django.db.models import Sum

    rows = SessionCount.objects.filter(project=project).values_list("status").annotate(Sum("count"))
    return {status: count for status, count in rows if count}


def test_every_way_of_writing_sessions_is_counted(project, other_project):
    sessions = [make_session() for _ in range(3)]
    Session.objects.bulk_create([Session(project=project, session_id=f"b{n}", status="paused") for n in range(4)])
    Session.objects.bulk_create([Session(project=project, session_id=f"b{n}") for n in (0, 9)], ignore_conflicts=True)
    assert counted(project) == {"active": 4, "paused": 4}
    Session.objects.filter(status="paused").update(status="failed")
    Session.objects.filter(pk=sessions[0].pk).update(title="no change of status", status="active")
    Session.objects.filter(pk=sessions[1].pk).update(project=other_project)
    sessions[2].delete()
    assert (counted(project), counted(other_project)) == ({"active": 2, "failed": 4}, {"active": 1})
    with transaction.atomic():
        make_session()
        transaction.set_rollback(True)
    assert counted(project) == {"active": 2, "failed": 4}
    assert session_counts_difference() == {}


def test_counts_that_went_wrong_are_found_and_repaired(project):
    make_session()
    SessionCount.objects.update(count=7)
    assert session_counts_difference() == {(project.pk, "active"): -6}
    SessionCount.objects.all().delete()
    assert session_counts_repair() == {(project.pk, "active"): 1}
    assert session_counts_difference() == {}
    assert counted(project) == {"active": 1}


def test_the_status_page_takes_as_many_queries_for_many_sessions_as_for_one(owner, django_assert_max_num_queries):
    for number in range(30):
        make_session(status="active" if number % 2 else "expired")
    with django_assert_max_num_queries(6):
        body = owner.get("/api/sessions/status/").json()
    assert (body["total"], body["by_status"]["active"], body["expired"]) == (30, 15, 15)


@pytest.mark.skipif(connection.vendor == "sqlite", reason="the tests' SQLite is in memory: one writer at a time")
@pytest.mark.django_db(transaction=True)
def test_a_session_that_is_being_written_to_is_left_alone(project, now):
    import threading

    from django.db import connections

    session, other = due(now), due(now)
    held, go_on = threading.Event(), threading.Event()

    def append() -> None:
        with transaction.atomic():
            SessionActivity.objects.filter(pk=session.pk).update(last_activity_at=now)
            held.set()
            go_on.wait(60)
        connections.close_all()

    writer = threading.Thread(target=append)
    writer.start()
    try:
        assert held.wait(60)
        assert sessions_mark_expired(now=now) == 1
    finally:
        go_on.set()
        writer.join()
    assert Session.objects.get(pk=other.pk).status == "expired"
    assert sessions_mark_expired(now=now) == 0
    assert Session.objects.get(pk=session.pk).expires_at > now


def test_a_batch_that_lasts_long_makes_the_next_one_smaller_and_a_short_one_larger():
    seconds = iter([0, 0.01, 1, 1.02, 2, 2.4, 5, 25])
    pace = Pace(1.0, 100, clock=lambda: next(seconds))
    sizes = []
    for _ in range(4):
        with pace.at_work():
            sizes.append(pace.size)
    assert [*sizes, pace.size] == [32, 64, 100, 25, 20]
