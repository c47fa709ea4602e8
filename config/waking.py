"""Wakes the workers: a thread of its own tells the broker of new jobs, so that no request ever waits for a broker."""

import atexit
import os
import queue
import threading
import time

import structlog

from config.celery import app

RUN_JOB = "sessions_app.jobs.run_job"
# What does not fit is left to the sweep, as is everything that a broker did not take.
MOST_WAITING = 10_000
PAUSE_SECONDS = 1.0
FAREWELL_SECONDS = 1.0
log = structlog.get_logger(__name__)


class Relay:
    """Publishes ids of jobs in the order in which they come; started with the first one in each process."""

    def __init__(self) -> None:
        self._waiting: queue.Queue[int] = queue.Queue(MOST_WAITING)
        self._lock = threading.Lock()
        self._pid = 0
        self._connection = None

    def put(self, job_id: int) -> None:
        """Take an id; never waits, never fails."""
        if self._pid != os.getpid():
            self._start()
        try:
            self._waiting.put_nowait(job_id)
        except queue.Full:
            return

    def _start(self) -> None:
        with self._lock:
            if self._pid == os.getpid():
                return
            # A thread does not survive a fork, and what waited belongs to the parent.
            self._waiting = queue.Queue(MOST_WAITING)
            self._connection = None
            self._pid = os.getpid()
            threading.Thread(target=self._run, name="waking", daemon=True).start()
            atexit.register(self._farewell)

    def _run(self) -> None:
        while True:
            job_id = self._waiting.get()
            try:
                self._publish(job_id)
            # Every transport has errors of its own; whatever it is, the sweep finds the job.
            except Exception as error:  # noqa: BLE001
                log.warning("workers_not_woken", error=type(error).__name__)
                self._hang_up()
                time.sleep(PAUSE_SECONDS)
                self._drop_waiting()
            finally:
                self._waiting.task_done()

    def _publish(self, job_id: int) -> None:
        if self._connection is None:
            self._connection = app.connection_for_write()
        app.send_task(RUN_JOB, (job_id,), connection=self._connection, retry=False)

    def _hang_up(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            try:
                connection.release()
            # The connection is broken, and so may be its end.
            except Exception:  # noqa: BLE001
                log.debug("hang_up_failed")

    def _drop_waiting(self) -> None:
        while True:
            try:
                self._waiting.get_nowait()
            except queue.Empty:
                return
            self._waiting.task_done()

    def _farewell(self) -> None:
        """Let what waits go out when the process ends, for a moment."""
        ends = time.monotonic() + FAREWELL_SECONDS
        while self._waiting.unfinished_tasks and self._pid == os.getpid() and time.monotonic() < ends:
            time.sleep(0.005)


_relay = Relay()


def wake(job_id: int) -> None:
    """Tell the workers of a job (AGENTLEDGER_WAKE_FUNCTION)."""
    _relay.put(job_id)
