"""Cached session reads: never stale, whatever another process has cached, and no waiting for a cache that is gone."""

import os
import re
import socket
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path

import pytest
import redis
from django.core.cache import cache
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from config.shared import cached
from sessions_app.models import Project
from sessions_app.models.accounts import DEFAULT_PROJECT
from sessions_app.services.expiry import session_touch
from sessions_app.services.session_cache import session_read
from sessions_app.services.sessions import session_delete, session_update
from sessions_app.services.workflows import workflow_delete
from tests.factories import make_message, make_session, make_workflow

pytestmark = pytest.mark.django_db(transaction=True)
ROOT = Path(__file__).resolve().parents[2]
REDIS = os.environ.get("TEST_REDIS_URL", "redis://127.0.0.1:6379/0")
# Far more than a read takes, and less than what an unanswered call would.
PATIENCE_SECONDS = 60


@pytest.fixture
def team(store):
    cache.clear()
    cached.Away.until = 0.0
    yield Project.objects.get_or_create(slug=DEFAULT_PROJECT, defaults={"name": "Default"})[0]
    cached.Away.until = 0.0


def _read(team, session_id="s1"):
    """Return the session and how many statements it took: one from the cache, two without."""
    with CaptureQueriesContext(connection) as queries:
        session = session_read(project_id=team.pk, session_id=session_id)
    return session, len(queries)


def test_a_second_read_comes_from_the_cache_and_is_the_same(team, now):
    workflow = make_workflow(project=team, workflow_id="react")
    made = make_session(project=team, session_id="s1", workflow=workflow, context={"n": 2**70}, expires_at=now)
    first, two = _read(team)
    again, one = _read(team)
    assert (two, one) == (2, 1)
    for session in (first, again):
        for field in made._meta.concrete_fields:
            assert getattr(session, field.attname) == getattr(made, field.attname), field.name
        assert session.workflow.workflow_id == "react"
        assert session.activity.last_activity_at == made.activity.last_activity_at


def test_every_change_shows_at_once(team, now, staff):
    session = make_session(project=team, session_id="s1", ttl_seconds=60)
    _read(team), _read(team)
    session_update(session=session, changes={"title": "New"}, now=now)
    assert _read(team)[0].title == "New"
    _read(team)
    session_touch(session=session, now=now + timedelta(hours=1))
    make_message(session=session)
    found, statements = _read(team)
    assert (found.expires_at, statements) == (now + timedelta(hours=1, seconds=60), 1)
    assert found.activity.message_count == 1
    session_delete(session=session, caller=staff, now=now)
    assert _read(team)[0] is None
    make_session(project=team, session_id="s1", title="Another")
    assert _read(team)[0].title == "Another"


def test_a_workflow_that_is_deleted_leaves_the_cached_session(team, now, staff):
    workflow = make_workflow(project=team, workflow_id="react")
    make_session(project=team, session_id="s1", workflow=workflow)
    _read(team), _read(team)
    workflow_delete(workflow=workflow, now=now, caller=staff)
    assert _read(team)[0].workflow is None
    assert _read(team)[0].workflow is None


@pytest.fixture
def staff():
    from config.shared.callers import SYSTEM

    return SYSTEM


@transaction.atomic
def _never_committed(team, session, now):
    session_update(session=session, changes={"title": "Never"}, now=now)
    assert session_read(project_id=team.pk, session_id="s1").title == "Never"
    raise ZeroDivisionError


def test_what_is_read_in_a_transaction_is_not_cached(team, now):
    session = make_session(project=team, session_id="s1")
    with pytest.raises(ZeroDivisionError):
        _never_committed(team, session, now)
    session_update(session=session, changes={"title": "Committed"}, now=now)
    assert _read(team)[0].title == "Committed"


def test_without_a_ttl_nothing_is_cached(team, settings):
    settings.SESSION_CACHE_TTL = 0
    make_session(project=team, session_id="s1")
    assert [_read(team)[1], _read(team)[1]] == [1, 1]


def test_the_api_reads_through_the_cache(team, now):
    from sessions_app.services.api_keys import api_key_create
    from tests.clients import ApiClient

    _key, token = api_key_create(project=team, name="k", role="agent", now=now)
    _key, masked = api_key_create(project=team, name="r", role="reader", now=now)
    client = ApiClient(token)
    client.post("/api/sessions/", {"session_id": "s1", "workflow": "react", "context": {"a": 1}})
    first = client.get("/api/sessions/s1/").json()
    assert client.get("/api/sessions/s1/").json() == first
    assert ApiClient(masked).get("/api/sessions/s1/").json()["context"] == "********"
    client.patch("/api/sessions/s1/", {"title": "New"})
    client.post("/api/sessions/s1/messages/", {"role": "user", "content": "Hi"})
    body = client.get("/api/sessions/s1/").json()
    assert (body["title"], body["message_count"], body["version"]) == ("New", 1, 2)
    assert client.get("/api/sessions/s2/").status_code == 404


OTHER = """
import sys, django
django.setup()
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from sessions_app.services.session_cache import session_read
for line in sys.stdin:
    with CaptureQueriesContext(connection) as queries:
        session = session_read(project_id=int(line), session_id="s1")
    print(session.title, len(queries), flush=True)
"""


def _database_url() -> str:
    name = connection.settings_dict["NAME"]
    if connection.vendor == "sqlite":
        return f"sqlite:///{name}"
    return re.sub(r"/[^/?]*(\?|$)", rf"/{name}\1", os.environ["DATABASE_URL"])


@pytest.mark.parametrize("kind", ["in-process", "redis"])
def test_a_write_in_one_process_is_seen_by_the_other_at_once(team, now, kind, settings):
    url = ""
    if kind == "redis":
        try:
            redis.Redis.from_url(REDIS, socket_connect_timeout=1).ping()
        except redis.RedisError:
            pytest.skip("no Redis here")
        url = REDIS
    env = {**os.environ, "DATABASE_URL": _database_url(), "REDIS_URL": url, "PYTHONPATH": str(ROOT)}
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen([sys.executable, "-c", OTHER], cwd=ROOT, env=env, **pipes) as other:

        def told():
            other.stdin.write(f"{team.pk}\n")
            other.stdin.flush()
            title, _blank, statements = other.stdout.readline().strip().rpartition(" ")
            return title, int(statements)

        session = make_session(project=team, session_id="s1", title="round 0")
        cached = 0
        for number in range(1, 31):
            told()
            cached += told()[1] == 1
            session_update(session=session, changes={"title": f"round {number}"}, now=now)
            assert told()[0] == f"round {number}"
        # It did cache, and was not stale for all that.
        assert cached == 30
        other.stdin.close()
        assert other.wait(PATIENCE_SECONDS) == 0


@pytest.mark.parametrize("listening", [False, True], ids=["nobody there", "never answers"])
def test_reads_go_on_while_redis_is_gone(team, settings, listening):
    make_session(project=team, session_id="s1", title="Still here")
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        if not listening:
            server.close()
        from config.settings.databases import cache_settings

        settings.CACHES = {"default": cache_settings(f"redis://127.0.0.1:{port}/0")}
        begun = time.monotonic()
        for _ in range(50):
            assert session_read(project_id=team.pk, session_id="s1").title == "Still here"
        # Each unanswered call would take as long as the time-out; after the first one the cache is left alone.
        assert time.monotonic() - begun < PATIENCE_SECONDS / 4
        assert cached.Away.until > begun
