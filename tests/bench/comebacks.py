"""Coming back to a session of 10,000 messages, and reading one session again and again."""

import statistics
import time
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from config.shared.api.renderers import dump_answer
from config.shared.callers import Caller
from config.shared.plain_rows import passed_on
from history_app.selectors.restore import session_restore
from history_app.services.recording import record_many
from history_app.services.tasks import task_create
from sessions_app.models import Project, Session
from sessions_app.services.api_keys import api_key_create
from sessions_app.services.drafts import SessionDraft, StateDraft
from sessions_app.services.session_cache import session_read
from sessions_app.services.sessions import session_save
from sessions_app.services.states import state_save
from tests.bench.report import Line
from tests.bench.sections import Work
from tests.bench.servers import Asker, serving

LAST = 100
NAME = "comeback"
GOAL_MS = 50


def measure(work: Work) -> list[Line]:
    """Fill one session, then read it; ours and the limit in turn."""
    project = Project.objects.get(slug="default")
    messages, rounds = work.scaled(10_000, 300), work.scaled(200, 20)
    _fill(project.pk, messages)
    caller = Caller(kind="key", name="bench", role="admin", project_ids=frozenset({project.pk}), project_id=project.pk)
    return [
        _restore_line(caller, messages, rounds),
        _http_line(project, messages, rounds),
        *(_cache_line(project.pk, size, rounds * 5) for size in (1_000, 20_000)),
    ]


def _fill(project_id: int, messages: int) -> None:
    now = timezone.now()
    session_save(project_id=project_id, draft=SessionDraft(session_id=NAME, user_id="ada", workflow="react"), now=now)
    said = [
        {"record_type": "message", "session_id": NAME, "record_id": f"m{n}", "role": "user", "content": "word " * 100}
        for n in range(messages)
    ]
    calls = [
        {"record_type": "tool_call", "session_id": NAME, "record_id": f"t{n}", "tool_name": "search", "success": True}
        for n in range(messages // 10)
    ]
    waiting = [{**calls[0], "record_id": f"w{n}", "status": "pending", "success": None} for n in range(5)]
    record_many(project_id=project_id, records=[*said, *calls, *waiting], now=now)
    session = Session.objects.get(project_id=project_id, session_id=NAME)
    state_save(session=session, draft=StateDraft(current_step="ask", data={"plan": ["word " * 100] * 20}), now=now)
    for number in range(5):
        steps = [{"description": "word " * 20}] * 3
        task_create(session=session, now=now, record_id=f"task{number}", user_input="word " * 20, subtasks=steps)


def _timed(call: Callable[[], Any]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def _restore_line(caller: Caller, messages: int, rounds: int) -> Line:
    def ours() -> bytes:
        return dump_answer(session_restore(caller=caller, session_id=NAME, last=LAST, document=passed_on))

    with CaptureQueriesContext(connection) as captured:
        ours()
    statements = [query["sql"] for query in captured]

    def bare() -> None:
        with connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
                cursor.fetchall()

    pairs = [(_timed(ours), _timed(bare)) for _ in range(rounds)]
    mine, limit = (1000 * statistics.median(side) for side in zip(*pairs, strict=True))
    note = f"{messages:,} messages, the last {LAST}, as JSON; limit: the same {len(statements)} statements, fetched"
    return Line("restore", mine, limit, "ms", "<= 3", note)


def _http_line(project: Project, messages: int, rounds: int) -> Line:
    _key, token = api_key_create(project=project, name="comeback", role="agent", now=timezone.now())
    path = f"/api/sessions/{NAME}/restore/?last={LAST}"
    with serving("config.wsgi") as port:
        asker = Asker(port, {"Authorization": f"Bearer {token}"})
        taken = sorted(asker.seconds(path) for _ in range(rounds + 10))[: rounds + 10]
    p95 = 1000 * taken[int(len(taken) * 0.95)]
    return Line("restore over HTTP, p95", p95, GOAL_MS, "ms", "<= 1", f"{messages:,} messages; limit is the goal in ms")


def _cache_line(project_id: int, size: int, rounds: int) -> Line:
    name = f"read-{size}"
    context = {f"key {number}": "word " * 10 for number in range(size // 60)}
    session_save(project_id=project_id, draft=SessionDraft(session_id=name, context=context), now=timezone.now())

    def read() -> Any:
        return session_read(project_id=project_id, session_id=name)

    cached, plain = [], []
    for _ in range(rounds):
        settings.SESSION_CACHE_TTL = 60
        cached.append(_timed(read))
        settings.SESSION_CACHE_TTL = 0
        plain.append(_timed(read))
    rates = [1 / statistics.median(side) for side in (cached, plain)]
    note = "in process; with the cache one narrow statement asks for the version; limit: without the cache"
    return Line(f"session get, {size:,} bytes", *rates, "gets/s", ">= 3", note)
