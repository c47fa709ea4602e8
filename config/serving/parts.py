"""The parts of a running AgentLedger: which command each process is."""

import sys
from dataclasses import dataclass
from pathlib import Path

WEB_THREADS = 8
WORKER_THREADS = 4
_MEMORY = Path("/dev/shm")  # noqa: S108 (gunicorn makes an unnamed file there)
# Gunicorn lets requests in flight end for this long; the supervisor waits a little longer before it kills.
WEB_GRACE_SECONDS = 8


@dataclass(frozen=True)
class Part:
    """One process to keep running, with the descriptors that it inherits."""

    name: str
    command: tuple[str, ...]
    descriptors: tuple[int, ...] = ()


def web(descriptor: int, workers: int) -> Part:
    """The web server on an already listening socket."""
    command = [sys.executable, "-m", "gunicorn", "config.wsgi:application", f"--bind=fd://{descriptor}"]
    command += ["--worker-class=gthread", f"--workers={workers}", f"--threads={WEB_THREADS}", "--timeout=60"]
    command += [f"--graceful-timeout={WEB_GRACE_SECONDS}", "--log-level=warning", "--no-control-socket"]
    # The workers' heartbeat file must not be on a disk, whose stalls would look like a hanging worker.
    command += [f"--worker-tmp-dir={_MEMORY}"] if _MEMORY.is_dir() else []
    return Part("web server", tuple(command), (descriptor,))


def worker() -> Part:
    """The worker that runs jobs, in threads: a process forked with SQLite open would corrupt it."""
    command = [*_celery(), "worker", "--pool=threads", f"--concurrency={WORKER_THREADS}"]
    command += ["--without-gossip", "--without-mingle", "--without-heartbeat", "--loglevel=WARNING"]
    return Part("worker", tuple(command))


def scheduler() -> Part:
    """The scheduler (beat), which sends jobs to the worker when they are due."""
    return Part("scheduler", (*_celery(), "beat", "--pidfile=", "--loglevel=WARNING"))


def _celery() -> tuple[str, ...]:
    return (sys.executable, "-m", "celery", "--quiet", "--app=config.celery")
