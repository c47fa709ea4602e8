"""The sweep within every worker: runs what no message told of, also without a broker, and notices a deaf worker."""

import os
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import structlog
from celery import bootsteps, signals
from celery.worker import state
from django.conf import settings
from django.db import close_old_connections, connection
from django.utils import timezone

from config.readiness import broker_answers
from config.schedule_runs import CANARY
from sessions_app.models import Job
from sessions_app.services.jobs import job_run, jobs_due

# So many canaries in a row that no message woke, in a worker that has nothing else to do, mean that it hears nothing.
DEAF_AFTER_CANARIES = 3
GRACE_SECONDS = 30
log = structlog.get_logger(__name__)


class Sweeper:
    """A thread that looks every few seconds, with one question to the database, and runs what it finds."""

    def __init__(self, threads: int, deaf: Callable[[], None]) -> None:
        self._over = threading.Event()
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="sweep")
        self._thread = threading.Thread(target=self._run, name="sweeper", daemon=True)
        self._deaf, self._unheard = deaf, 0
        signals.task_received.connect(self._heard)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """Look no more; what runs may end."""
        self._over.set()
        self._pool.shutdown(wait=True)

    def _heard(self, **_: Any) -> None:
        self._unheard = 0

    def _run(self) -> None:
        while not self._over.wait(settings.JOB_SWEEP_INTERVAL):
            try:
                while not self._over.is_set() and self._round():
                    continue
                close_old_connections()
            # The database may be away, for any reason: the next look tries anew.
            except Exception as error:  # noqa: BLE001
                log.warning("sweep_failed", error=type(error).__name__)
                connection.close()

    def _round(self) -> bool:
        found = jobs_due(now=timezone.now())
        if not found:
            return False
        canaries = set(Job.objects.filter(pk__in=found, kind=CANARY).values_list("pk", flat=True))
        ran = [job_id for job_id, state in zip(found, self._pool.map(_run_one, found), strict=True) if state]
        self._listen(len(canaries.intersection(ran)))
        return bool(ran)

    def _listen(self, canaries: int) -> None:
        if not canaries or state.active_requests:
            return
        self._unheard += canaries
        if self._unheard >= DEAF_AFTER_CANARIES and broker_answers():
            self._unheard = 0
            self._deaf()


def _run_one(job_id: int) -> str | None:
    close_old_connections()
    try:
        return job_run(job_id=job_id)
    # The database went away in between: the job's lease ends, and another look finds it.
    except Exception as error:  # noqa: BLE001
        log.warning("swept_job_failed", job=job_id, error=type(error).__name__)
        connection.close()
        return None
    finally:
        close_old_connections()


def end_deaf_worker() -> None:
    """End this worker, so that whoever watches over it starts a new one: politely, and by force after a while."""
    log.error("worker_hears_nothing")
    os.kill(os.getpid(), signal.SIGTERM)

    def by_force() -> None:
        time.sleep(GRACE_SECONDS)
        os._exit(1)

    threading.Thread(target=by_force, daemon=True).start()


class SweepStep(bootsteps.StartStopStep):
    """Starts the sweep with the worker, before it has reached the broker."""

    requires = {"celery.worker.components:Pool"}

    def __init__(self, parent: Any, **options: Any) -> None:
        self._sweeper: Sweeper | None = None
        super().__init__(parent, **options)

    def start(self, parent: Any) -> None:
        """Start the sweep."""
        self._sweeper = Sweeper(parent.concurrency or 1, end_deaf_worker)
        self._sweeper.start()

    def stop(self, parent: Any) -> None:
        """Stop the sweep; also when the worker is told to hurry."""
        if self._sweeper is not None:
            self._sweeper.stop()
            self._sweeper = None

    terminate = stop
