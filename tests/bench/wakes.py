"""Jobs: how long a worker takes to wake up, and what the whole of `manage.py serve` takes of a core without work."""

import os
import shutil
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path

from django.db import connection

from tests.bench.report import Line
from tests.bench.sections import Work
from tests.config.served import Served, manage, until
from tests.jobs_at_work.house import House, Redis

FILES_MS, REDIS_MS, IDLE_PERCENT = 100, 20, 2


def measure(work: Work) -> list[Line]:
    """Measure on the embedded default, which is the same whatever database the other sections are run on."""
    if connection.vendor != "sqlite":
        return []
    jobs = work.scaled(100, 10)
    lines = [wake_line("files, the embedded default", work.folder / "files", "", jobs, FILES_MS)]
    if shutil.which("redis-server"):
        with _redis(work.folder) as redis:
            lines.append(wake_line("Redis", work.folder / "redis", redis.url, jobs, REDIS_MS))
    return [*lines, idle_line(work.folder / "idle", work.scaled(60, 2))]


@contextmanager
def _redis(folder: Path) -> Iterator[Redis]:
    redis = Redis(folder).start()
    try:
        yield redis
    finally:
        redis.kill()


def _migrated(folder: Path) -> None:
    """Make a DATA_DIR with the tables in it; they are made once, and copied."""
    made = folder.parent / "migrated"
    if not made.exists():
        made.mkdir()
        assert manage(made, "migrate", "--verbosity", "0").returncode == 0
    shutil.copytree(made, folder)


def wake_line(broker: str, folder: Path, url: str, jobs: int, goal: int) -> Line:
    """From the moment at which a job is asked for to that at which a worker has claimed it, one job at a time."""
    _migrated(folder)
    house = House(folder, url, JOB_SWEEP_INTERVAL="3600")
    try:
        house.worker()
        house.asks("torture.effect", jobs, "slowly").wait()
        until(house.all_over)
        rows = house.ask("SELECT created_at, started_at FROM sessions_app_job WHERE woken ORDER BY id")
    finally:
        house.close()
    took = [(datetime.fromisoformat(begun) - datetime.fromisoformat(asked)).total_seconds() for asked, begun in rows]
    note = f"{len(took)} jobs, median (p95: {1000 * statistics.quantiles(took, n=20)[-1]:,.0f} ms); limit is the goal"
    return Line(f"waking a worker by {broker}", 1000 * statistics.median(took), goal, "ms", "<= 1", note)


def idle_line(folder: Path, seconds: int) -> Line:
    """The processor time of all processes while nobody asks for anything, once they have started."""
    _migrated(folder)
    served = Served(folder)
    try:
        served.ready()
        served.part("worker")
        time.sleep(seconds / 2)
        before = _processor_seconds(served)
        time.sleep(seconds)
        used = _processor_seconds(served) - before
    finally:
        served.kill_all()
    note = f"web, worker and scheduler over {seconds} s; limit is the goal"
    return Line("idle", 100 * used / seconds, IDLE_PERCENT, "% of a core", "<= 1", note)


def _processor_seconds(served: Served) -> float:
    """Return what all living processes have taken, with what their children took that have ended."""
    ticks = 0
    for pid in served.processes():
        # A process may end between the listing and the look.
        with suppress(FileNotFoundError, ProcessLookupError):
            stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
            ticks += sum(map(int, stat.rpartition(")")[2].split()[11:15]))
    return ticks / os.sysconf("SC_CLK_TCK")
