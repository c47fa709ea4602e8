"""Cleaning up expired sessions while others append: how long a transaction lasts, and what the appends keep.

The clean-up, and each writer, is a process of its own. The clean-up works in turns: as long as a turn took, it then
stands still, so that the appends with it and without it are counted side by side in one run.
"""

import os
import subprocess
import sys
from datetime import timedelta
from typing import Any

from django.db import connection
from django.utils import timezone

from sessions_app.models import Project, Session, SessionActivity
from tests.bench.report import Line
from tests.bench.sections import Work

WRITERS, TURNS = 2, 4
GOAL_MS = 1000
# The clean-up rests nine times as long as it works, and a busy machine makes both longer.
PATIENCE = 3600
Turn = tuple[float, float, float]


def measure(work: Work) -> list[Line]:
    """Fill the store, then let the sessions end, and those that live on get a new end, beside writers."""
    project = Project.objects.get(slug="default").pk
    # SQLite has one writer at a time: the clean-up waits there for its turn, and takes the longer.
    count = work.scaled(20_000 if connection.vendor == "sqlite" else 100_000, 800)
    return [line for kind in ("ending", "renewed") for line in _lines(project, kind, count)]


def _lines(project: int, kind: str, count: int) -> list[Line]:
    _fill(project, kind, count)
    connection.close()
    # Idle before the first turn, so that the writers are warm.
    turns, stamps, longest = _measured(project, count)
    work, beside = _rates(turns, stamps)
    done = sum(number for _start, _end, number in turns) / sum(end - start for start, end, _number in turns)
    note = f"{WRITERS} writers; {count:,} sessions in {TURNS} turns, {done:,.0f} sessions/s; limit: between them"
    return [
        Line(f"appends while sessions are {kind}", work, beside, "messages/s", ">= 0.8", note),
        Line(f"longest transaction, {kind}", longest, GOAL_MS, "ms", "<= 1", "limit is the goal in ms"),
    ]


def _fill(project: int, kind: str, count: int) -> None:
    """Store sessions that are due: without anything since ("ending"), or written to a moment ago ("renewed")."""
    now = timezone.now()
    past = now - timedelta(days=2)
    active_at = past if kind == "ending" else now
    for first in range(0, count, 5000):
        rows = [
            Session(project_id=project, session_id=f"{kind} {n}", created_at=past, updated_at=past, expires_at=past)
            for n in range(first, min(first + 5000, count))
        ]
        Session.objects.bulk_create(rows, batch_size=500)
        active = [SessionActivity(session=row, last_activity_at=active_at) for row in rows]
        SessionActivity.objects.bulk_create(active, batch_size=500)


def _measured(project: int, count: int) -> tuple[list[Turn], list[float], float]:
    writers = [_started("writer", project, f"writer {number}") for number in range(WRITERS)]
    try:
        for writer in writers:
            writer.stdout.readline()
        told = _started("cleaner", -(-count // TURNS)).communicate(timeout=PATIENCE)[0].splitlines()
    finally:
        stamps = [float(line) for writer in writers for line in writer.communicate("enough\n", timeout=60)[0].split()]
    turns = [tuple(map(float, line.split())) for line in told[:-1]]
    return turns, stamps, float(told[-1])  # type: ignore[return-value]


def _rates(turns: list[Turn], stamps: list[float]) -> tuple[float, float]:
    """Return the appends a second in the turns, and in the pauses of the same length after them."""
    seconds = sum(end - start for start, end, _number in turns)
    busy = sum(any(start <= at < end for start, end, _number in turns) for at in stamps)
    idle = sum(any(end <= at < 2 * end - start for start, end, _number in turns) for at in stamps)
    return busy / seconds, idle / seconds


def _started(kind: str, *arguments: object) -> Any:
    command = [sys.executable, "-m", "tests.bench.cleaning", kind, *map(str, arguments)]
    return subprocess.Popen(command, env=os.environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
