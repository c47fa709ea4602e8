"""A holder that freezes and wakes up, and a clean-up that is killed beside appends: real processes, real signals."""

import random
import signal
import time
from datetime import datetime, timedelta

import pytest
import redis
from django.utils import timezone

from history_app.models import Message
from sessions_app.models import Project, Session, SessionActivity
from sessions_app.services.drafts import StateDraft
from sessions_app.services.expiry import BATCH, sessions_mark_expired
from sessions_app.services.residency import agent_heartbeat, agents_release_idle
from sessions_app.services.session_counts import session_counts_difference
from sessions_app.services.states import state_current, state_save
from tests.factories import make_session
from tests.private_servers import redis_is_installed, redis_server
from tests.sessions_app.workers import LOCK_MS, started

pytestmark = pytest.mark.django_db(transaction=True)
DAYS = timedelta(days=1)


HOUR = timedelta(hours=1)
needs_redis = pytest.mark.skipif(not redis_is_installed(), reason="no Redis on this machine")


@pytest.fixture
def default(store):
    """The default project, where processes see it."""
    return Project.objects.get_or_create(slug="default", defaults={"name": "Default"})[0]


@pytest.fixture
def own_redis(tmp_path):
    with redis_server(tmp_path) as server:
        yield server.url


@pytest.fixture(params=["database", pytest.param("redis", marks=needs_redis)])
def leases(request, settings):
    """Where the leases are, for this process and, by what is returned, for the others."""
    if request.param == "redis":
        settings.REDIS_URL = request.getfixturevalue("own_redis")
    return {"REDIS_URL": settings.REDIS_URL}


def _succeeded(session, number: int, chance: random.Random) -> int:
    """Let the frozen holder's lease end, and a successor take the session and write; clocks jump by an hour."""
    now = timezone.now() + chance.choice([-HOUR, 0 * HOUR, HOUR])
    assert agents_release_idle(now=now + DAYS, idle_seconds=60) == 1
    lease = agent_heartbeat(session=session, agent_id="successor", host="h2", now=now)
    draft = StateDraft(current_step="successor", iteration_count=number)
    state_save(session=session, draft=draft, now=now, fence=lease.fence)
    return lease.fence


def _rounds(default, rounds: int, mode: str, succeed, **surroundings: str) -> list[str]:
    """Let a holder freeze, a successor write, and the holder wake up and write; return what each wake-up came to."""
    session, answers, chance = make_session(project=default, session_id="frozen"), [], random.Random(3)
    holder = started("holder", session.pk, mode, **surroundings)
    try:
        for number in range(rounds):
            holder.stdin.write("hold\n")
            first = int(holder.stdout.readline())
            holder.send_signal(signal.SIGSTOP)
            # The holder is told to write while it cannot, and its lease runs out meanwhile.
            holder.stdin.write("write\n")
            assert succeed(session, number, chance) > first
            holder.send_signal(signal.SIGCONT)
            answers.append(holder.stdout.readline().strip())
            state = state_current(session=session)
            assert state.current_step == ("successor" if answers[-1] == "refused" else "stale")
    finally:
        holder.send_signal(signal.SIGCONT)
        holder.stdin.close()
        holder.wait(60)
        holder.stdout.close()
    return answers


@pytest.mark.parametrize("rounds", [20, pytest.param(200, marks=pytest.mark.torture)])
def test_a_holder_that_was_frozen_cannot_overwrite_its_successor(default, leases, rounds):
    assert _rounds(default, rounds, "fenced", _succeeded, **leases) == ["refused"] * rounds


def test_without_the_token_it_can(default, leases):
    """A control: the same leases, and a write that does not show its token."""
    assert _rounds(default, 3, "unfenced", _succeeded, **leases) == ["written"] * 3


@needs_redis
@pytest.mark.parametrize("rounds", [3, pytest.param(200, marks=pytest.mark.torture)])
def test_a_plain_lock_lets_the_late_write_through(default, own_redis, rounds):
    """The other control: a lock as many have it, SET NX with an expiry, which the successor waits for."""

    def lock_and_write(session, number: int, chance: random.Random) -> int:
        lock, patience = redis.Redis.from_url(own_redis), time.monotonic() + 60
        while not lock.set("lock", "successor", nx=True, px=LOCK_MS):
            assert time.monotonic() < patience
            time.sleep(LOCK_MS / 10_000)
        now = timezone.now()
        state_save(session=session, draft=StateDraft(current_step="successor", iteration_count=number), now=now)
        lock.delete("lock")
        return number + 1

    assert _rounds(default, rounds, "locked", lock_and_write, REDIS_URL=own_redis) == ["written"] * rounds


@pytest.mark.parametrize(
    ("sessions", "appends", "kills"), [(100, 150, 3), pytest.param(1000, 3000, 20, marks=pytest.mark.torture)]
)
def test_a_clean_up_that_is_killed_beside_appends_loses_nothing(default, settings, sessions, appends, kills):
    assert BATCH <= 1000
    settings.SESSION_TTL = 3600
    chance, began = random.Random(7), timezone.now()
    past = began - 2 * DAYS
    rows = [
        Session(project=default, session_id=f"s{number}", created_at=past, updated_at=past, expires_at=began)
        for number in range(sessions)
    ]
    Session.objects.bulk_create(rows)
    SessionActivity.objects.bulk_create([SessionActivity(session=row, last_activity_at=past) for row in rows])
    appender = started("appender", default.pk, appends, sessions, 7)
    acked: list[tuple[str, str, datetime]] = []
    for _ in range(kills):
        cleaner = started("cleaner", 10)
        for _ in range(1 + chance.randrange(8)):
            assert cleaner.stdout.readline()
        cleaner.kill()
        cleaner.wait(60)
        cleaner.stdout.close()
        cleaner.stdin.close()
    for line in appender.stdout:
        name, record, at = line.split()
        acked.append((name, record, datetime.fromisoformat(at)))
    assert appender.wait(60) == 0
    appender.stdout.close()
    appender.stdin.close()
    sessions_mark_expired(now=timezone.now())
    assert sessions_mark_expired(now=timezone.now()) == 0

    assert len(acked) == appends
    stored = set(Message.objects.values_list("session__session_id", "record_id"))
    assert stored == {(name, record) for name, record, _at in acked}
    # What was acknowledged before a session was marked would have kept it alive.
    marked = dict(Session.objects.filter(status="expired").values_list("session_id", "updated_at"))
    assert [name for name, _record, at in acked if name in marked and at <= marked[name]] == []
    assert set(Session.objects.filter(status="active").values_list("session_id", flat=True)) <= {
        name for name, _record, _at in acked
    }
    for activity in SessionActivity.objects.all():
        assert activity.message_count == Message.objects.filter(session=activity.pk).count()
    assert session_counts_difference() == {}
