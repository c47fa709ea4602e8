"""Residency: leases with fencing tokens, the same in the database and in Redis."""

import os
import socket
from datetime import timedelta
from uuid import uuid4

import pytest
import redis
from django.urls import reverse
from django.utils import timezone

from config.shared.callers import SYSTEM
from config.shared.errors import FencedOff, NotFound
from history_app.services.recording import record_many
from sessions_app.models import AuditEntry, Session, SessionActivity
from sessions_app.services.drafts import StateDraft
from sessions_app.services.residency import agent_heartbeat, agent_release, agents_release_idle, residencies_newest
from sessions_app.services.sessions import session_delete
from sessions_app.services.states import state_current, state_save
from tests.factories import make_session

pytestmark = pytest.mark.django_db
REDIS = os.environ.get("TEST_REDIS_URL", "redis://127.0.0.1:6379/0")


def _redis_is_there() -> bool:
    try:
        return bool(redis.Redis.from_url(REDIS, socket_connect_timeout=1).ping())
    except redis.RedisError:
        return False


@pytest.fixture(params=["database", "redis"])
def store(request, settings):
    """Where the leases are, each test with keys of its own; returns what forgets them all."""
    if request.param == "database":
        yield None
        return
    if not _redis_is_there():
        pytest.skip("no Redis on this machine")
    settings.REDIS_URL, settings.RESIDENCY_PREFIX = REDIS, f"test:{uuid4()}:"
    server = redis.Redis.from_url(REDIS)

    def forget() -> None:
        for key in server.scan_iter(settings.RESIDENCY_PREFIX + "*"):
            server.delete(key)

    yield forget
    forget()


def beat(session, now, agent="a", host="h1", fence=None):
    """Send one heartbeat."""
    return agent_heartbeat(session=session, agent_id=agent, host=host, now=now, fence=fence)


def idle(seconds=60, **options):
    """Release who was silent for so long, as of now plus that."""
    return {"idle_seconds": seconds, **options}


def test_every_lease_has_a_greater_token_also_after_release_and_idleness(store, project, now):
    session = make_session()
    tokens = [beat(session, now).fence, beat(session, now, agent="b").fence]
    agent_release(session=session, now=now)
    tokens.append(beat(session, now).fence)
    assert agents_release_idle(now=now + timedelta(seconds=60), **idle()) == 1
    tokens.append(beat(session, now - timedelta(hours=1)).fence)
    assert tokens == sorted(set(tokens))
    assert SessionActivity.objects.get(pk=session.pk).last_fence == tokens[-1]


def test_a_heartbeat_with_the_token_goes_on_with_the_lease(store, project, now):
    session = make_session()
    lease = beat(session, now)
    later = beat(session, now + timedelta(seconds=5), fence=lease.fence, host="h1")
    assert (later.fence, later.resident_since) == (lease.fence, now)
    assert later.heartbeat_at == now + timedelta(seconds=5)


def test_a_heartbeat_never_lies_before_the_start_of_the_lease(store, project, now):
    session = make_session()
    lease = beat(session, now)
    assert beat(session, now - timedelta(hours=1), fence=lease.fence).heartbeat_at == now


def test_an_agent_that_was_replaced_is_told_so(store, project, now):
    session = make_session()
    first = beat(session, now)
    second = beat(session, now, agent="b", host="h2")
    for act in (
        lambda: beat(session, now, fence=first.fence),
        lambda: agent_release(session=session, fence=first.fence, now=now),
        lambda: state_save(session=session, draft=StateDraft(), now=now, fence=first.fence),
    ):
        with pytest.raises(FencedOff) as refused:
            act()
        assert refused.value.newest == second.fence
    assert state_current(session=session) is None
    assert [each.lease for each in residencies_newest(caller=SYSTEM, now=now, idle_seconds=60)] == [second]


def test_a_state_is_written_under_the_newest_lease_or_without_one(store, project, now):
    session = make_session()
    lease = beat(session, now)
    assert state_save(session=session, draft=StateDraft(), now=now, fence=lease.fence).version == 1
    agent_release(session=session, fence=lease.fence, now=now)
    assert state_save(session=session, draft=StateDraft(), now=now, fence=lease.fence).version == 2
    assert state_save(session=session, draft=StateDraft(), now=now).version == 3


def test_a_token_that_was_never_given_out_is_refused(store, project, now):
    session = make_session()
    lease = beat(session, now)
    with pytest.raises(FencedOff):
        state_save(session=session, draft=StateDraft(), now=now, fence=lease.fence + 1)


def test_a_session_of_the_same_id_does_not_begin_its_tokens_anew(store, project, now):
    session = make_session(session_id="again")
    old = [beat(session, now).fence for _ in range(3)][-1]
    session_delete(session=session, caller=SYSTEM, now=now)
    new = beat(make_session(session_id="again"), now + timedelta(seconds=1))
    assert new.fence > old


def test_an_agent_whose_lease_was_idle_comes_back_under_a_new_token(store, project, now):
    session = make_session()
    lease = beat(session, now)
    assert agents_release_idle(now=now + timedelta(seconds=60), **idle()) == 1
    again = beat(session, now + timedelta(seconds=61), fence=lease.fence)
    assert again.fence > lease.fence
    with pytest.raises(FencedOff):
        beat(session, now + timedelta(seconds=62), fence=lease.fence)


def test_idle_agents_alone_are_released_in_steps_and_no_data_is_touched(store, project, other_project, now):
    sessions = [make_session(session_id=f"s{number}") for number in range(5)]
    foreign = make_session(project=other_project)
    before = list(Session.objects.order_by("pk").values())
    for number, session in enumerate([*sessions, foreign]):
        beat(session, now + timedelta(seconds=number))
    at = now + timedelta(seconds=62)
    assert agents_release_idle(now=at, **idle(projects={project.pk}, batch=2, at_most=2)) == 2
    assert agents_release_idle(now=at, **idle(projects={project.pk}, batch=2)) == 1
    assert agents_release_idle(now=at, **idle(projects={project.pk})) == 0
    left = residencies_newest(caller=SYSTEM, now=at, idle_seconds=60)
    assert [each.session.pk for each in left] == [foreign.pk, sessions[4].pk, sessions[3].pk]
    columns = ("status", "version", "updated_at", "title")
    after = list(Session.objects.order_by("pk").values())
    assert [[row[name] for name in columns] for row in after] == [[row[name] for name in columns] for row in before]


def test_a_heartbeat_of_a_session_that_is_gone_is_not_found(store, project, now):
    session = make_session()
    session_delete(session=session, caller=SYSTEM, now=now)
    with pytest.raises(NotFound):
        beat(session, now)


def test_the_first_heartbeat_of_a_session_without_counters_numbers_on_from_its_messages(store, project, now):
    session = make_session(session_id="s1")
    said = {"record_type": "message", "session_id": "s1", "role": "user", "content": "Where is my order?"}
    record_many(project_id=project.pk, records=[said] * 3, now=now)
    SessionActivity.objects.filter(pk=session.pk).delete()
    assert beat(session, now).fence
    activity = SessionActivity.objects.get(pk=session.pk)
    assert (activity.last_sequence, activity.message_count) == (3, 3)
    record_many(project_id=project.pk, records=[said], now=now)
    assert list(session.message_set.order_by("pk").values_list("sequence", flat=True)) == [1, 2, 3, 4]


def test_tokens_do_not_go_back_when_redis_loses_its_memory(store, project, now):
    if store is None:
        pytest.skip("the database does not lose its memory")
    session = make_session()
    first = beat(session, now)
    store()
    assert residencies_newest(caller=SYSTEM, now=now, idle_seconds=60) == []
    state_save(session=session, draft=StateDraft(), now=now, fence=first.fence)
    second = beat(session, now, agent="b")
    assert second.fence > first.fence
    store()
    with pytest.raises(FencedOff):
        beat(session, now, fence=first.fence)
    assert beat(session, now, agent="b", fence=second.fence).fence > second.fence


def test_the_api_gives_leases_and_holds_writes_to_them(store, owner, outsider):
    owner.put("/api/sessions/s1/", {})
    first = owner.post("/api/sessions/s1/heartbeat/", {"agent_id": "a", "host": "h1"}).json()
    body = {"agent_id": "a", "host": "h1", "fence": first["fence"]}
    assert owner.post("/api/sessions/s1/heartbeat/", body).json()["fence"] == first["fence"]
    mine = {"X-Fencing-Token": str(first["fence"])}
    assert owner.put("/api/sessions/s1/state/", {"current_step": "one"}, headers=mine).status_code == 201
    second = owner.post("/api/sessions/s1/heartbeat/", {"agent_id": "b"}).json()
    for method, path, sent in (
        ("put", "state/", {"current_step": "stale"}),
        ("patch", "state/", {"current_step": "stale"}),
        ("post", "checkpoints/1/rollback/", None),
        ("post", "heartbeat/", {"agent_id": "a"}),
        ("delete", "heartbeat/", None),
    ):
        answer = getattr(owner, method)(f"/api/sessions/s1/{path}", sent, headers=mine)
        assert answer.status_code == 409, path
        assert str(second["fence"]) in answer.json()["detail"]
    assert owner.get("/api/sessions/s1/state/").json()["current_step"] == "one"
    shown = owner.get("/api/sessions/status/", {"detail": "true"}).json()
    assert (shown["resident_agents"], shown["idle_agents"]) == (1, 0)
    assert [(row["agent_id"], row["fence"], row["idle"]) for row in shown["residencies"]] == [
        ("b", second["fence"], False)
    ]
    assert outsider.get("/api/sessions/status/", {"detail": "true"}).json()["residencies"] == []
    assert outsider.post("/api/sessions/s1/heartbeat/", {"agent_id": "x"}).status_code == 404


@pytest.mark.parametrize("token", ["", "0", "-1", "1.5", "abc", "1 2", "9" * 19, "9" * 40, "٣"])
def test_what_is_no_token_is_bad_input(owner, token):
    owner.put("/api/sessions/s1/", {})
    headers = {"X-Fencing-Token": token}
    answer = owner.put("/api/sessions/s1/state/", {}, headers=headers)
    assert answer.status_code == 400
    assert "X-Fencing-Token" in answer.json()["errors"][0]["detail"]


@pytest.mark.parametrize("fence", [0, -1, "1", 1.5, True, 2**63, [], {}])
def test_a_bad_fence_in_a_heartbeat_is_named(owner, fence):
    owner.put("/api/sessions/s1/", {})
    answer = owner.post("/api/sessions/s1/heartbeat/", {"agent_id": "a", "fence": fence})
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["pointer"] == "/fence"


@pytest.mark.parametrize("listening", [False, True], ids=["refused", "silent"])
def test_while_redis_is_gone_residency_says_so_and_all_else_goes_on(owner, settings, listening):
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        if listening:
            # The kernel takes the connection, and nobody ever answers on it.
            server.listen()
        settings.REDIS_URL = f"redis://127.0.0.1:{server.getsockname()[1]}/0"
        owner.put("/api/sessions/s1/", {})
        for answer in (
            owner.post("/api/sessions/s1/heartbeat/", {"agent_id": "a"}),
            owner.delete("/api/sessions/s1/heartbeat/"),
            owner.get("/api/sessions/status/"),
        ):
            assert answer.status_code == 503
            assert answer["Retry-After"] == "5"
        assert owner.get("/api/sessions/s1/").status_code == 200
        assert owner.put("/api/sessions/s1/state/", {}).status_code == 201


def test_staff_see_who_is_in_memory_and_release_an_agent(store, staff_admin, analyst, settings, project):
    session = make_session(session_id="held")
    agent_heartbeat(session=session, agent_id="agent-7", host="worker-1", now=timezone.now())
    address = reverse("admin:sessions_app_agentresidency_changelist")
    for browser in (staff_admin, analyst):
        assert "agent-7" in browser.get(address).content.decode()
    chosen = {"session": [session.pk], "action": "delete_selected", "_selected_action": [session.pk], "post": "yes"}
    analyst.post(address, chosen)
    assert "agent-7" in staff_admin.get(address).content.decode()
    assert staff_admin.post(address, chosen).status_code == 302
    assert "agent-7" not in staff_admin.get(address, {"all": ""}).content.decode()
    assert AuditEntry.objects.latest("number").action == "agent_residency.delete"
    settings.REDIS_URL = "redis://127.0.0.1:9/0"
    assert "is away" in staff_admin.get(address).content.decode()
