"""Reading one session of 1,000 messages in Python: through our models, beside the same query raw."""

import statistics
import uuid
from collections.abc import Callable
from typing import Any

from django.db import connection

from history_app.models import Message
from history_app.services.recording import record_many
from sessions_app.models import Project, Session
from tests.bench.report import Line
from tests.bench.sections import Work
from tests.bench.writes import NOW, records, timed

MESSAGES = 1000
COLUMNS = "id, project_id, session_id, record_id, timestamp, metadata, sequence, role, content, structured_content"
RAW = f"SELECT {COLUMNS} FROM history_app_message WHERE session_id = %s ORDER BY sequence"


def measure(work: Work) -> list[Line]:
    """Measure the last 50 and all of them."""
    project = Project.objects.get(slug="default").pk
    name = f"read-{uuid.uuid4()}"
    source = records(name)
    record_many(project_id=project, records=[next(source) for _ in range(MESSAGES)], now=NOW)
    session = Session.objects.get(session_id=name)

    def raw(more: str) -> Callable[[], Any]:
        def read() -> list[Any]:
            with connection.cursor() as cursor:
                cursor.execute(RAW + more, [session.pk])
                return list(cursor.fetchall())

        return read

    rounds, mine = work.scaled(300, 30), Message.objects.in_session(session)
    last = _line("last 50 of 1,000", lambda: list(mine.order_by("-sequence")[:50])[::-1], raw(" DESC LIMIT 50"), rounds)
    whole = _line("all 1,000", lambda: list(mine.order_by("sequence")), raw(""), rounds // 5)
    return [last, whole]


def _line(title: str, ours: Callable[[], Any], limit: Callable[[], Any], rounds: int) -> Line:
    pairs = [(timed(ours), timed(limit)) for _ in range(rounds + 3)][3:]
    mine, theirs = (1000 * statistics.median(pair[which] for pair in pairs) for which in (0, 1))
    return Line(title, mine, theirs, "ms", "<= 2", "as objects; limit: the same query, as rows")
