"""Recording over HTTP: our web server with four workers beside the same one with bare Django views in it."""

import random
import statistics
from collections.abc import Callable
from dataclasses import dataclass

from django.db import connection
from django.utils import timezone

from history_app.services.recording import record_many
from sessions_app.models import Project
from sessions_app.services.api_keys import api_key_create
from tests.bench.load import Target, body, load
from tests.bench.report import Line
from tests.bench.rows import WORDS
from tests.bench.sections import Work
from tests.bench.servers import serving_as_ours
from tests.bench.writes import copy_tables

WORKERS = 4
BATCH = 100
SESSIONS = 4000
BODIES = 50


@dataclass(frozen=True)
class Case:
    """One work: ours and the bare one, how many messages a request holds, and the least ratio that is good."""

    title: str
    ours: Target
    bare: Target
    size: int
    goal: float


def measure(work: Work) -> list[Line]:
    """Measure single messages and batches on PostgreSQL; the goals are stated for it."""
    if connection.vendor != "postgresql":
        return []
    project = Project.objects.get(slug="default")
    copy_tables()
    _sessions(project.pk)
    _key, token = api_key_create(project=project, name="served", role="agent", now=timezone.now())
    connection.close()
    ours, bare = serving_as_ours("config.wsgi", WORKERS), serving_as_ours("tests.bench.bare_writes", WORKERS)
    with ours as our_port, bare as bare_port:
        one, row = (
            Target(our_port, "/api/sessions/SESSION/messages/", _bodies(_message), token),
            Target(bare_port, "/one/", _bodies(_row)),
        )
        rows = Target(bare_port, "/many/", _bodies(_batch(_row)))
        records = {
            size: Target(our_port, "/api/records/", _bodies(_batch(_record, size)), token) for size in (1, BATCH)
        }
        wide = Target(our_port, "/api/records/", _bodies(_wide), token)
        return [
            *_lines(Case("POST of one message", one, row, 1, 0.6), work),
            *_lines(Case("POST of one record", records[1], row, 1, 0.6), work),
            *_lines(Case("POST of 100 of one session", records[BATCH], rows, BATCH, 0.5), work),
            *_lines(Case("POST of 100 of 100 sessions", wide, rows, BATCH, 0.5), work),
        ]


def _lines(case: Case, work: Work) -> list[Line]:
    seconds, warming, rounds = work.scaled(5, 1), work.scaled(1, 0), work.scaled(3, 1)
    contenders = (case.ours, case.bare)
    pairs = [[load(target, seconds, work.folder) for target in contenders] for _ in range(warming + rounds)][warming:]
    rate = [case.size * statistics.median(pair[which].requests for pair in pairs) for which in (0, 1)]
    slow = [statistics.median(pair[which].p99_ms or 0 for pair in pairs) for which in (0, 1)]
    note = (
        f"{WORKERS} workers, 16 connections; limit: a bare view that {'inserts one row' if case.size == 1 else 'COPYs'}"
    )
    return [
        Line(case.title, rate[0], rate[1], "messages/s", f">= {case.goal}", note),
        Line(f"{case.title}, p99", slow[0], slow[1], "ms", "", "of a request"),
    ]


def _sessions(project: int) -> None:
    """Make the sessions that are written to: a new session is another work."""
    first = [
        {"record_type": "message", "session_id": f"bench-{number}", "role": "user", "content": "Hello"}
        for number in range(SESSIONS)
    ]
    record_many(project_id=project, records=first, now=timezone.now())


def _text(picker: random.Random) -> str:
    return " ".join(picker.choices(WORDS, k=90))


def _bodies(one: Callable[[random.Random], object]) -> list[str]:
    picker = random.Random(1)
    return [body(one(picker)) for _ in range(BODIES)]


def _message(picker: random.Random, place: str = "") -> dict[str, object]:
    return {"record_id": f"m-NUMBER{place}", "role": "user", "content": _text(picker)}


def _record(picker: random.Random, place: str = "") -> dict[str, object]:
    return {**_message(picker, place), "record_type": "message", "session_id": "SESSION"}


def _row(picker: random.Random, place: str = "") -> dict[str, object]:
    return {**_message(picker, place), "number": f"NUMBER{place}"}


def _batch(
    one: Callable[[random.Random, str], dict[str, object]], size: int = BATCH
) -> Callable[[random.Random], object]:
    return lambda picker: [one(picker, f"{place:02d}") for place in range(size)]


def _wide(picker: random.Random) -> object:
    """Make a batch in which no two messages are of one session."""
    return [
        {**_record(picker, f"{n:02d}"), "session_id": f"bench-{n + BATCH * picker.randrange(SESSIONS // BATCH)}"}
        for n in range(BATCH)
    ]
