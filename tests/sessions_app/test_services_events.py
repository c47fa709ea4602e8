"""Events: each thing that happens to a session is told once, in the transaction in which it happens."""

from datetime import timedelta

import pytest
from django.db import transaction

from config.shared.callers import SYSTEM
from sessions_app.models import Event
from sessions_app.services.drafts import SessionDraft
from sessions_app.services.events import event_record, events_prune
from sessions_app.services.expiry import sessions_mark_expired
from sessions_app.services.jobs import job_enqueue, job_run
from sessions_app.services.residency import agent_heartbeat, agent_release
from sessions_app.services.session_batches import sessions_write
from sessions_app.services.sessions import session_create, session_delete, session_save, session_update
from tests.factories import NOW, make_event, make_session

pytestmark = pytest.mark.django_db


def told() -> list[tuple[str, str]]:
    return list(Event.objects.order_by("pk").values_list("kind", "subject"))


def test_the_life_of_a_session_is_told(project):
    draft = SessionDraft(session_id="s")
    session = session_create(project_id=project.pk, draft=draft, now=NOW)
    session_save(project_id=project.pk, draft=draft, now=NOW)
    session_update(session=session, changes={"title": "New"}, now=NOW)
    agent_heartbeat(session=session, agent_id="a", host="h", now=NOW)
    agent_release(session=session, now=NOW)
    agent_release(session=session, now=NOW)
    session_delete(session=session, caller=SYSTEM, now=NOW)
    kinds = ["created", "updated", "updated", "released", "deleted"]
    assert told() == [(f"session.{kind}", "s") for kind in kinds]
    assert Event.objects.last().project_id == project.pk


def test_sessions_that_expire_are_told_once():
    for number in range(3):
        make_session(session_id=f"s{number}", status="active", expires_at=NOW)
    later = NOW + timedelta(days=1)
    assert sessions_mark_expired(now=later, batch=2) == 3
    assert sessions_mark_expired(now=later) == 0
    assert sorted(told()) == [("session.expired", f"s{number}") for number in range(3)]


def test_agents_that_were_silent_are_told_as_released(project):
    for number in range(3):
        session = make_session(session_id=f"s{number}", status="active")
        agent_heartbeat(session=session, agent_id="a", host="h", now=NOW)
    job = job_enqueue(kind="agents.release_idle", now=NOW)
    assert job_run(job_id=job.pk, clock=lambda: NOW + timedelta(days=1)) == "succeeded"
    job.refresh_from_db()
    assert job.result == {"released": 3}
    assert sorted(told()) == [("session.released", f"s{number}") for number in range(3)]


def test_what_is_undone_is_not_told(project):
    with transaction.atomic():
        session_create(project_id=project.pk, draft=SessionDraft(session_id="s"), now=NOW)
        transaction.set_rollback(True)
    assert told() == []


def test_sessions_that_records_bring_along_are_told_with_one_statement(agent):
    records = [
        {"record_type": "message", "session_id": f"s{number % 5}", "role": "user", "content": "Hello"}
        for number in range(20)
    ]
    assert agent.post("/api/records/", records).status_code == 200
    assert agent.post("/api/records/", records).status_code == 200
    assert sorted(told()) == [("session.created", f"s{number}") for number in range(5)]


def test_a_batch_is_told_and_an_import_is_not(project):
    drafts = [SessionDraft(session_id=f"s{number}") for number in range(2)]
    sessions_write(project_id=project.pk, drafts=drafts, now=NOW)
    assert told() == []
    drafts = [SessionDraft(session_id=f"t{number}") for number in range(2)]
    sessions_write(project_id=project.pk, drafts=drafts, now=NOW, expiring=True)
    assert told() == [("session.created", "t0"), ("session.created", "t1")]


def test_events_are_forgotten_after_delivery_and_when_nobody_fetched_them(settings):
    settings.EVENT_DAYS = 7
    for _number in range(5):
        make_event()
    make_event(delivered_at=NOW + timedelta(days=5))
    kept = make_event(created_at=NOW + timedelta(days=6))
    assert events_prune(now=NOW + timedelta(days=6), batch=2) == 0
    assert events_prune(now=NOW + timedelta(days=8), batch=2) == 5
    assert events_prune(now=NOW + timedelta(days=12, seconds=1), batch=2) == 1
    assert list(Event.objects.all()) == [kept]


def test_telling_costs_one_statement(django_assert_num_queries, project):
    with django_assert_num_queries(1):
        event_record(project_id=project.pk, kind="session.created", subject="s", now=NOW)
