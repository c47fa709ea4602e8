"""A full archive beside `pg_dump | zstd -T0 | age`, what appends keep meanwhile, and bringing it back beside psql."""

import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connection

from backups_app.archive.signatures import new_signing_key
from sessions_app.models import Project
from tests.bench.report import Line
from tests.bench.rows import fill
from tests.bench.sections import Work
from tests.scratch import scratch

ROUNDS, WRITERS = 2, 2
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
        _appends(tools),
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
        own = {"BACKUP_DIR": str(folder / "backups"), "BACKUP_SIGNING_KEY": new_signing_key()}
        own |= {"BACKUP_AGE_RECIPIENTS": self._recipient, "BACKUP_AGE_IDENTITY_FILE": str(self._identity)}
        self._env = {**os.environ, **own}

    def started(self, *arguments: str) -> "subprocess.Popen[str]":
        """Start our work in a process of its own."""
        command = [sys.executable, "-m", "tests.bench.archiving", *arguments]
        return subprocess.Popen(command, env=self._env, stdout=subprocess.PIPE, text=True)

    def ours(self, *arguments: str) -> tuple[float, float]:
        """Do it; return the seconds that it took and its peak of memory in MB."""
        told, _error = self.started(*arguments).communicate(timeout=3600)
        start, end, memory = map(float, told.split())
        return end - start, memory

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


def _appends(tools: _Tools) -> Line:
    """Count the appends of writers while an archive is made, and for as long after it."""
    command = [sys.executable, "-m", "tests.bench.cleaning", "writer", str(Project.objects.get(slug="default").pk)]
    connection.close()
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    writers = [subprocess.Popen([*command, f"beside {number}"], **pipes) for number in range(WRITERS)]
    try:
        for writer in writers:
            writer.stdout.readline()  # type: ignore[union-attr]
        told, _error = tools.started("create", "beside").communicate(timeout=3600)
        start, end, _memory = map(float, told.split())
        time.sleep(max(0.0, 2 * end - start - time.time()))
    finally:
        stamps = [float(line) for writer in writers for line in writer.communicate("enough\n")[0].split()]
    during = sum(start <= at < end for at in stamps) / (end - start)
    after = sum(end <= at < 2 * end - start for at in stamps) / (end - start)
    return Line(
        "appends while it is made", during, after, "messages/s", ">= 0.8", f"{WRITERS} writers; limit: right after it"
    )


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
