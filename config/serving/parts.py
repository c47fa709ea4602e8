"""The parts of a running AgentLedger: which command each process is."""

import sys
from dataclasses import dataclass

WORKER_THREADS = 4
# Gunicorn lets requests in flight end for this long; the supervisor waits a little longer before it kills.
WEB_GRACE_SECONDS = 8
# Warnings are for developers; here they would stand between the lines for the person who runs it.
_PYTHON = (sys.executable, "-W", "ignore")


@dataclass(frozen=True)
class Part:
    """One process to keep running, with the descriptors and the additional environment that it gets."""

    name: str
    command: tuple[str, ...]
    descriptors: tuple[int, ...] = ()
    environment: tuple[tuple[str, str], ...] = ()


def web(descriptor: int, workers: int) -> Part:
    """The web server on an already listening socket."""
    command = (*_PYTHON, "-m", "config.serving.web", f"--socket={descriptor}", f"--workers={workers}")
    return Part("web server", command, (descriptor,))


def worker() -> Part:
    """The worker that runs jobs, in threads: a process forked with SQLite open would corrupt it."""
    options = ["--pool=threads", f"--concurrency={WORKER_THREADS}", "--loglevel=WARNING"]
    options += ["--without-gossip", "--without-mingle", "--without-heartbeat"]
    return _celery_part("worker", "worker", *options)


def scheduler() -> Part:
    """The scheduler (beat), which sends jobs to the worker when they are due."""
    return _celery_part("scheduler", "beat", "--pidfile=", "--loglevel=WARNING")


def _celery_part(name: str, *command: str) -> Part:
    celery = (*_PYTHON, "-m", "celery", "--quiet", "--skip-checks", "--app=config.celery")
    return Part(name, (*celery, *command), environment=(("SERVES_PAGES", "off"),))
