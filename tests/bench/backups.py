"""A full archive beside `pg_dump | zstd -T0 | age`, what appends keep meanwhile, and bringing it back beside psql."""

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connection

from config.generated_secrets import new_backup_signing_key
from sessions_app.models import Project
from tests.bench.report import Line
from tests.bench.rows import fill
from tests.bench.sections import Work
from tests.scratch import scratch

ROUNDS, WRITERS = 2, 2
# What is shorter is held against so much of the time after it.
LEAST_SECONDS = 3.0
TEXTS = 50_000
MEGABYTE = 1024 * 1024


def measure(work: Work) -> list[Line]:
    """Fill the store, then make archives and dumps in turn; the goals are stated for PostgreSQL."""
    if connection.vendor != "postgresql":
        return []
    sessions = work.scaled(10_000, 100)
    # One of its own: the pages fill the default one with sessions of the same names.
    project = Project.objects.create(slug="backups", name="Backups")
    fill(project_id=project.pk, sessions=sessions, messages_each=100, texts=TEXTS)
    size = _size()
    connection.close()
    tools = _Tools(work.folder)
    made, dumped = [], []
    for number in range(ROUNDS):
        made.append(tools.ours("create", f"round-{number}"))
        dumped.append(tools.dump())
    seconds, memory = (statistics.median(column) for column in zip(*made, strict=True))
    what = f"{sessions * 100:,} messages, {size:,.0f} MB in the database"
    limit = "limit: pg_dump, zstd -T0 and age in a pipe"
    return [
        Line("full archive, encrypted", seconds, statistics.median(dumped), "s", "<= 2", f"{what}; {limit}"),
        Line("full archive, peak memory", memory, 200, "MB", "<= 1", "limit is the goal in MB"),
        *_appends(tools),
        *_restores(tools),
    ]


def _size() -> float:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_database_size(current_database())")
        return float(cursor.fetchone()[0]) / MEGABYTE


class _Tools:
    """Both ways to make an archive and to bring it back, with the same recipient."""

    def __init__(self, folder: Path) -> None:
        self._identity, self._dumped = folder / "identity", folder / "dump.sql.zst.age"
        subprocess.run(["age-keygen", "-o", self._identity], check=True, capture_output=True)
        self._recipient = subprocess.run(
            ["age-keygen", "-y", self._identity], check=True, capture_output=True, text=True
        ).stdout.strip()
        own = {"BACKUP_DIR": str(folder / "backups"), "BACKUP_SIGNING_KEY": new_backup_signing_key()}
        own |= {"BACKUP_AGE_RECIPIENTS": self._recipient, "BACKUP_AGE_IDENTITY_FILE": str(self._identity)}
        self._env = {**os.environ, **own}

    def _told(self, *arguments: str, **own: str) -> list[float]:
        """Do our work in a process of its own; return what it tells: its beginning, its end and its peak in MB."""
        command = [sys.executable, "-m", "tests.bench.archiving", *arguments]
        done = subprocess.run(command, env={**self._env, **own}, stdout=subprocess.PIPE, text=True, check=True)
        return [float(word) for word in done.stdout.split()]

    def ours(self, *arguments: str) -> tuple[float, float]:
        """Do it; return the seconds that it took and its peak of memory in MB."""
        start, end, memory = self._told(*arguments)
        return end - start, memory

    def spent(self, *arguments: str, **own: str) -> tuple[float, float]:
        """Do it with settings of its own; return when it began and when it ended."""
        start, end, _memory = self._told(*arguments, **own)
        return start, end

    def dump(self) -> float:
        """Return how many seconds a dump takes."""
        return self._shell(f"pg_dump {settings.DATABASE_URL} | zstd -T0 -q | age -r {self._recipient} > {self._dumped}")

    def undump(self, url: str) -> float:
        """Return how many seconds it takes to bring the dump into an empty database."""
        return self._shell(f"age -d -i {self._identity} {self._dumped} | zstd -d -q | psql -q -o /dev/null {url}")

    @staticmethod
    def _shell(command: str) -> float:
        began = time.monotonic()
        subprocess.run(["sh", "-c", command], check=True)
        return time.monotonic() - began


def _appends(tools: _Tools) -> list[Line]:
    """Count the appends of writers while archives and a dump are made, and for as long after each."""
    command = [sys.executable, "-m", "tests.bench.cleaning", "writer", str(Project.objects.get(slug="default").pk)]
    connection.close()
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    writers = [subprocess.Popen([*command, f"beside {number}"], **pipes) for number in range(WRITERS)]
    works: dict[str, tuple[Callable[[], tuple[float, float]], str]] = {
        "appends while it is made": (lambda: tools.spent("create", "beside"), ">= 0.8"),
        "appends while it is made in haste": (lambda: tools.spent("create", "beside-fast", BACKUP_GIVES_WAY="no"), ""),
        "appends beside pg_dump, zstd, age": (lambda: _spent(tools.dump), ""),
    }
    spans = {}
    try:
        for writer in writers:
            writer.stdout.readline()  # type: ignore[union-attr]
        for what, (work, _goal) in works.items():
            start, end = spans[what] = work()
            time.sleep(max(LEAST_SECONDS, end - start))
    finally:
        stamps = [float(line) for writer in writers for line in writer.communicate("enough\n")[0].split()]
    return [_kept(what, *spans[what], works[what][1], stamps) for what in works]


def _kept(what: str, start: float, end: float, goal: str, stamps: list[float]) -> Line:
    """Return how many appends there were a second from start to end, and right after it."""
    over = end + max(LEAST_SECONDS, end - start)
    during = sum(start <= at < end for at in stamps) / (end - start)
    after = sum(end <= at < over for at in stamps) / (over - end)
    note = f"{WRITERS} writers, {end - start:.1f} s; limit: right after it"
    return Line(what, during, after, "messages/s", goal, note)


def _spent(work: Callable[[], object]) -> tuple[float, float]:
    """Do it; return when it began and when it ended."""
    began = time.time()
    work()
    return began, time.time()


def _restores(tools: _Tools) -> list[Line]:
    with scratch(settings.DATABASE_URL) as url:
        seconds, memory = tools.ours("restore", "round-0", url)
    with scratch(settings.DATABASE_URL) as url:
        limit = tools.undump(url)
    note = "migrations, scratch store, checks and comparison in it; limit: age -d, zstd -d and psql in a pipe"
    return [
        Line("restore into an empty database", seconds, limit, "s", "", note),
        Line("restore, peak memory", memory, 300, "MB", "<= 1", "limit is the goal in MB"),
    ]
