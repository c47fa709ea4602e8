"""The list pages of a large store: over HTTP beside a bare Django view, and in the admin."""

import time

from django.conf import settings
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from sessions_app.models import Project, StaffUser
from sessions_app.services.api_keys import api_key_create
from tests.bench.report import Line, median_ms
from tests.bench.rows import fill
from tests.bench.sections import Work
from tests.bench.servers import Asker, in_turn, serving

ADMIN_GOAL_MS = 300
ADMIN_PAGES = ("sessions_app_session", "history_app_message")
PAGES = {
    "session list page": ("/api/sessions/", "/sessions/"),
    "messages page": ("/api/messages/", "/messages/"),
    "sessions of one user, one status": ("/api/sessions/?user_id=user-0007&status=failed", "/sessions/"),
    "messages of one session": ("/api/sessions/session-0000007/messages/", "/messages/"),
}


def measure(work: Work) -> list[Line]:
    """Fill the store, then time each page; ratios are ours over the bare view, asked in turn."""
    sessions, each, rounds = work.scaled(100_000, 500), work.scaled(10, 4), work.scaled(200, 20)
    project = Project.objects.get(slug="default")
    fill(project_id=project.pk, sessions=sessions, messages_each=each)
    scale = f"{sessions:,} sessions, {sessions * each:,} messages"
    _key, token = api_key_create(project=project, name="bench", role="admin", now=timezone.now())
    with serving("config.wsgi") as ours, serving("tests.bench.bare") as bare:
        asker = Asker(ours, {"Authorization": f"Bearer {token}"})
        timed = {title: in_turn(asker, mine, Asker(bare), theirs, rounds) for title, (mine, theirs) in PAGES.items()}
    lines = [
        Line(title, median_ms(mine), median_ms(theirs), "ms", "<= 3", scale) for title, (mine, theirs) in timed.items()
    ]
    return lines + [_admin_page(name, rounds) for name in ADMIN_PAGES]


def _admin_page(name: str, rounds: int) -> Line:
    settings.ALLOWED_HOSTS = ["*"]
    client = Client()
    user, _made = StaffUser.objects.get_or_create(username="bench", is_staff=True, is_superuser=True)
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    address = reverse(f"admin:{name}_changelist")
    taken = []
    for _ in range(min(rounds, 20) + 2):
        start = time.perf_counter()
        answer = client.get(address)
        taken.append(time.perf_counter() - start)
        if answer.status_code != 200:
            raise RuntimeError(f"{address}: {answer.status_code}")
    return Line(f"admin list {name}", median_ms(taken[2:]), ADMIN_GOAL_MS, "ms", "<= 1", "limit is the goal in ms")
