"""What other processes do in tests of leases and clean-up: `python -m tests.sessions_app.workers KIND …`."""

import os
import random
import subprocess
import sys

# How long the plain lock of the control lasts.
LOCK_MS = 100


def started(kind: str, *arguments: object, **surroundings: str) -> subprocess.Popen:
    """Start a worker on the test database; it takes lines on standard input and answers in lines."""
    from django.db import connection

    place = connection.settings_dict
    if connection.vendor == "sqlite":
        url = f"sqlite:///{place['NAME']}"
    else:
        scheme = "postgres" if connection.vendor == "postgresql" else "mysql"
        password = f":{place['PASSWORD']}" if place["PASSWORD"] else ""
        url = f"{scheme}://{place['USER']}{password}@{place['HOST']}:{place['PORT']}/{place['NAME']}"
    command = [sys.executable, "-m", "tests.sessions_app.workers", kind, *map(str, arguments)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "bufsize": 1}
    return subprocess.Popen(command, env={**os.environ, "DATABASE_URL": url, **surroundings}, **pipes)


def holder(session_pk: str, fenced: str) -> None:
    """Hold a lease on "hold", and write the state on "write": with the token of the lease, or without one.

    The one that is "locked" has no lease, but a lock in Redis that only expires.
    """
    import redis
    from django.conf import settings
    from django.utils import timezone

    from config.shared.errors import FencedOff
    from sessions_app.models import Session
    from sessions_app.services.residency import agent_heartbeat
    from sessions_app.services.states import state_update

    session, token = Session.objects.get(pk=int(session_pk)), None
    for line in sys.stdin:
        now = timezone.now()
        if line.strip() == "hold" and fenced == "locked":
            assert redis.Redis.from_url(settings.REDIS_URL).set("lock", "holder", nx=True, px=LOCK_MS)
            print(0, flush=True)
            continue
        if line.strip() == "hold":
            token = agent_heartbeat(session=session, agent_id="holder", host="h1", now=now).fence
            print(token, flush=True)
            continue
        try:
            fence = token if fenced == "fenced" else None
            state_update(session=session, changes={"current_step": "stale"}, now=now, fence=fence)
            print("written", flush=True)
        except FencedOff:
            print("refused", flush=True)


def appender(project_pk: str, appends: str, sessions: str, seed: str) -> None:
    """Append messages to sessions by chance, and say of each when it was acknowledged."""
    from django.utils import timezone

    from history_app.services.ingest import records_write
    from history_app.services.records import record_parse
    from sessions_app.models import Session
    from sessions_app.services.residency import agent_heartbeat

    chance = random.Random(int(seed))
    for number in range(int(appends)):
        name = f"s{chance.randrange(int(sessions))}"
        raw = {"record_type": "message", "session_id": name, "record_id": f"m{number}", "role": "user", "content": "x"}
        now = timezone.now()
        if number % 5 == 0:
            session = Session.objects.get(project_id=int(project_pk), session_id=name)
            agent_heartbeat(session=session, agent_id="a", host="h", now=now)
        records_write(project_id=int(project_pk), drafts=[record_parse(raw, now=now)], now=now)
        print(name, f"m{number}", timezone.now().isoformat(), flush=True)


def cleaner(batch: str) -> None:
    """Mark expired sessions, over and over, until somebody ends it."""
    from django.utils import timezone

    from sessions_app.services.expiry import sessions_mark_expired

    print("ready", flush=True)
    while True:
        print(sessions_mark_expired(now=timezone.now(), batch=int(batch), at_most=1), flush=True)


if __name__ == "__main__":
    import django

    django.setup()
    {"holder": holder, "appender": appender, "cleaner": cleaner}[sys.argv[1]](*sys.argv[2:])
