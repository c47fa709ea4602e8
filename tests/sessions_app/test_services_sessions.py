"""Sessions by the services: batches, expiry, concurrent writers, labels."""

import threading
from datetime import timedelta

import pytest
from django.db import connection, connections

from config.shared.errors import InvalidInput, StaleVersion
from sessions_app.models import AgentResidency, Session, SessionLabel, SessionState, WorkflowRun
from sessions_app.services.drafts import RunDraft, SessionDraft, StateDraft
from sessions_app.services.expiry import session_touch, sessions_mark_expired
from sessions_app.services.residency import agent_heartbeat
from sessions_app.services.session_batches import sessions_write
from sessions_app.services.sessions import session_create, session_save, session_update
from sessions_app.services.states import state_save
from tests.factories import make_session


def draft(number: int, **values) -> SessionDraft:
    """Return a whole draft with everything that can hang on a session."""
    return SessionDraft(
        **{
            "session_id": f"s{number}",
            "user_id": "u",
            "tags": ["a", "b"],
            "metadata": {"customer": "ACME", "odd": 2**70},
            "workflow": "agent",
            "state": StateDraft(current_step="think", data={"n": number}),
            "runs": [RunDraft(run_id=f"run{number}", workflow="agent")],
            **values,
        }
    )


@pytest.mark.django_db
def test_a_batch_is_new_once_and_the_same_ever_after(project, now):
    drafts = [draft(number) for number in range(5)]
    first = sessions_write(project_id=project.pk, drafts=drafts, now=now)
    assert [outcome.result for outcome in first] == ["new"] * 5
    assert [outcome.pk for outcome in first] == list(
        Session.objects.order_by("session_id").values_list("pk", flat=True)
    )
    again = sessions_write(project_id=project.pk, drafts=drafts, now=now + timedelta(days=1))
    assert [outcome.result for outcome in again] == ["same"] * 5
    assert (SessionState.objects.count(), WorkflowRun.objects.count(), SessionLabel.objects.count()) == (5, 5, 20)
    session = Session.objects.get(session_id="s3")
    assert session.metadata == {"customer": "ACME", "odd": 2**70}
    assert session.expires_at is None
    assert session.workflow.usage_count == 5


@pytest.mark.django_db
def test_a_batch_never_overwrites(project, now):
    sessions_write(project_id=project.pk, drafts=[draft(1)], now=now)
    changed = [draft(1, title="other"), draft(2), draft(2), draft(2, user_id="x"), draft(1, state=StateDraft())]
    outcomes = sessions_write(project_id=project.pk, drafts=changed, now=now)
    assert [outcome.result for outcome in outcomes] == ["conflict", "new", "same", "conflict", "conflict"]
    assert Session.objects.get(session_id="s1").title == ""


@pytest.mark.django_db
def test_a_bad_draft_is_rejected_and_the_others_are_written(project, now):
    bad = [draft(1, session_id=""), draft(2, status="odd"), draft(3, user_id="x" * 256), draft(4, tags=[5])]
    outcomes = sessions_write(project_id=project.pk, drafts=[*bad, draft(5)], now=now)
    assert [outcome.result for outcome in outcomes] == ["rejected"] * 4 + ["new"]
    assert [outcome.errors[0].pointer for outcome in outcomes[:4]] == ["/session_id", "/status", "/user_id", "/tags/0"]


@pytest.mark.django_db
def test_a_placeholder_is_filled(project, now):
    make_session(session_id="s1", metadata={"placeholder": True})
    outcomes = sessions_write(project_id=project.pk, drafts=[draft(1, title="real")], now=now)
    assert outcomes[0].result == "new"
    session = Session.objects.get(session_id="s1")
    assert (session.title, session.version, session.states.count()) == ("real", 2, 1)
    assert sessions_write(project_id=project.pk, drafts=[draft(1, title="real")], now=now)[0].result == "same"


@pytest.mark.django_db
def test_a_batch_takes_a_number_of_queries_that_does_not_grow_with_it(project, now, django_assert_max_num_queries):
    sessions_write(project_id=project.pk, drafts=[draft(0)], now=now)
    for start, size in ((100, 2), (200, 40)):
        drafts = [draft(start + number) for number in range(size)]
        with django_assert_max_num_queries(18):
            sessions_write(project_id=project.pk, drafts=drafts, now=now)


@pytest.mark.django_db
def test_a_session_ends_after_its_time_to_live(project, now, settings):
    settings.SESSION_TTL = 3600
    for session_id, ttl in (("default", None), ("short", 60), ("never", 0)):
        session_create(project_id=project.pk, draft=SessionDraft(session_id=session_id, ttl_seconds=ttl), now=now)
    assert sessions_mark_expired(now=now + timedelta(seconds=59)) == 0
    assert sessions_mark_expired(now=now + timedelta(seconds=60)) == 1
    assert sessions_mark_expired(now=now + timedelta(seconds=60)) == 0
    assert sessions_mark_expired(now=now + timedelta(days=9), batch=1) == 1
    statuses = dict(Session.objects.values_list("session_id", "status"))
    assert statuses == {"default": "expired", "short": "expired", "never": "active"}
    assert Session.objects.get(session_id="short").version == 2


@pytest.mark.django_db
def test_activity_renews_the_end(project, now):
    session = session_create(project_id=project.pk, draft=SessionDraft(session_id="s", ttl_seconds=60), now=now)
    session_touch(session=session, now=now + timedelta(seconds=50))
    assert sessions_mark_expired(now=now + timedelta(seconds=100)) == 0
    # What recording does: only the narrow activity row knows of it.
    session.activity.last_activity_at = now + timedelta(seconds=90)
    session.activity.save()
    assert sessions_mark_expired(now=now + timedelta(seconds=120)) == 0
    session.refresh_from_db()
    assert session.expires_at == now + timedelta(seconds=150)
    assert sessions_mark_expired(now=now + timedelta(seconds=150)) == 1


@pytest.mark.django_db
def test_finished_and_imported_sessions_do_not_expire(project, now):
    session_create(project_id=project.pk, draft=SessionDraft(session_id="done", status="completed"), now=now)
    sessions_write(project_id=project.pk, drafts=[draft(1)], now=now)
    assert sessions_mark_expired(now=now + timedelta(days=999)) == 0


@pytest.mark.django_db
def test_labels_follow_the_tags_and_the_metadata(project, now):
    metadata = {"a": "x", "n": 1.5, "yes": True, "none": None, "doc": {}, "long": "x" * 256, "k" * 101: "v"}
    session, _created = session_save(
        project_id=project.pk, draft=SessionDraft(session_id="s", tags=["t", "t"], metadata=metadata), now=now
    )
    assert set(session.labels.values_list("key", "value")) == {("", "t"), ("a", "x"), ("n", "1.5"), ("yes", "true")}
    session_update(session=session, changes={"metadata": {"a": None, "b": "y"}, "tags": []}, now=now)
    assert set(session.labels.values_list("key", "value")) == {("b", "y"), ("n", "1.5"), ("yes", "true")}


@pytest.mark.django_db
def test_a_draft_names_all_its_faults(project, now):
    with pytest.raises(InvalidInput) as caught:
        session_create(
            project_id=project.pk,
            draft=SessionDraft(session_id="", title=5, ttl_seconds=-1, workflow="x" * 256),
            now=now,
        )
    assert {error.pointer for error in caught.value.errors} == {"/session_id", "/title", "/ttl_seconds", "/workflow"}


@pytest.mark.django_db
def test_a_new_agent_takes_the_place_of_the_former(project, now):
    session = make_session()
    agent_heartbeat(session=session, agent_id="a", host="h1", now=now)
    agent_heartbeat(session=session, agent_id="a", host="h1", now=now + timedelta(seconds=5))
    row = AgentResidency.objects.get()
    assert (row.resident_since, row.heartbeat_at) == (now, now + timedelta(seconds=5))
    later = now + timedelta(seconds=9)
    agent_heartbeat(session=session, agent_id="b", host="h2", now=later)
    row = AgentResidency.objects.get()
    assert (row.agent_id, row.resident_since) == ("b", later)


def _at_once(count: int, work) -> list[str]:
    """Run `work(number)` in threads that start together; return what each said."""
    said: list[str] = []
    barrier = threading.Barrier(count)

    def run(number: int) -> None:
        try:
            barrier.wait()
            said.append(work(number))
        except StaleVersion:
            said.append("stale")
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return said


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(
    connection.vendor == "sqlite", reason="the tests' SQLite is in memory, which threads cannot share under load"
)
def test_of_writers_with_the_same_version_one_wins(project, now):
    session = make_session(project=project)
    state_save(session=session, draft=StateDraft(), now=now)

    def write(number: int) -> str:
        state_save(session=session, draft=StateDraft(current_step=str(number)), now=now, expected_version=1)
        return "won"

    assert sorted(_at_once(6, write)) == ["stale"] * 5 + ["won"]
    assert SessionState.objects.filter(session=session).count() == 2


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(
    connection.vendor == "sqlite", reason="the tests' SQLite is in memory, which threads cannot share under load"
)
def test_writers_of_different_keys_lose_nothing(project, now):
    session = make_session(project=project)

    def write(number: int) -> str:
        session_update(session=session, changes={"metadata": {f"k{number}": number}}, now=now)
        return "ok"

    assert _at_once(6, write) == ["ok"] * 6
    session.refresh_from_db()
    assert session.metadata == {f"k{number}": number for number in range(6)}
    assert session.version == 7
