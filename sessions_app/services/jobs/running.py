"""Running: one attempt at a job from its claim to its end, with the lease kept alive meanwhile."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import structlog
from django.conf import settings
from django.db import DatabaseError, connection, transaction
from django.utils import timezone

from config.shared.errors import InvalidInput, LedgerError, NotFound, Unavailable
from config.shared.jobs import JobCancelled, JobFailed, JobKind, LeaseLost, job_kind
from sessions_app.models import Job
from sessions_app.services.jobs.claims import (
    job_claim,
    job_fail,
    job_finish,
    job_hold,
    job_renew,
    job_stop,
    lease_end,
)

LOOKS_APART_SECONDS = 0.5
TEXT_LENGTH = 255
Clock = Callable[[], datetime]
log = structlog.get_logger(__name__)


def job_run(*, job_id: int, woken: bool = False, clock: Clock = timezone.now) -> str | None:
    """Claim the job and run it; return the state that it has then, or None when there was nothing to do.

    Never raises what the handler raises: that is kept with the job. Called outside of any transaction.
    """
    job = job_claim(job_id=job_id, now=clock(), woken=woken)
    if job is None:
        return None
    with structlog.contextvars.bound_contextvars(job=job.pk, kind=job.kind, attempt=job.attempts):
        try:
            kind = job_kind(job.kind)
        except NotFound as error:
            # A newer version may have asked for it: a worker of that version will know it.
            return job_fail(job=job, kind=None, error=str(error), now=clock())
        return _attempt(job, kind, clock)


def _attempt(job: Job, kind: JobKind, clock: Clock) -> str | None:
    run = Run(job, clock)
    try:
        with _lease_kept(job, kind, clock):
            result = _whole(run, kind) if kind.atomic else kind.handler(run, **job.arguments)
        if not kind.atomic:
            run.finish(result)
    except LeaseLost:
        log.warning("job_lease_lost")
        return None
    except JobCancelled:
        return Job.State.CANCELLED if job_stop(job_id=job.pk, fence=job.fence, now=clock()) else None
    # Whatever the handler raises is the job's outcome, and must not end the worker.
    except Exception as error:  # noqa: BLE001
        return _failed(job, kind, error, clock())
    return Job.State.SUCCEEDED


def _whole(run: "Run", kind: JobKind) -> Any:
    """Run the handler and note its end in one transaction: its effects happen exactly once."""
    with transaction.atomic():
        result = kind.handler(run, **run.arguments)
        run.finish(result)
    return result


def _failed(job: Job, kind: JobKind, error: Exception, now: datetime) -> str | None:
    refused = isinstance(error, JobFailed | LedgerError)
    # What a service refuses it will refuse again, except where a store is away or busy.
    for_good = refused and not isinstance(error, Unavailable)
    log.warning("job_attempt_failed", exc_info=not refused, error=type(error).__name__)
    if connection.errors_occurred and not connection.in_atomic_block:
        # A connection that broke under the job would break its report too.
        connection.close()
    return job_fail(job=job, kind=kind, error=_told(error), now=now, for_good=for_good)


def _told(error: Exception) -> str:
    """What failed, for people: a refusal says it itself, anything else is named by its kind as well."""
    if isinstance(error, InvalidInput):
        return " ".join(fault.detail for fault in error.errors)
    if isinstance(error, JobFailed | LedgerError) and str(error):
        return str(error)
    return f"{type(error).__name__}: {error}"


class Run:
    """One attempt, as the handler sees it (config.shared.jobs.JobRun)."""

    def __init__(self, job: Job, clock: Clock) -> None:
        self.job_id, self.project_id, self.fence = job.pk, job.project_id, job.fence
        self.attempt, self.arguments, self.asked_by = job.attempts, job.arguments, job.asked_by
        self.clock = clock
        self.now = clock()
        self._looked = 0.0
        self._text = ""

    def progress(self, *, done: int | None = None, total: int | None = None, text: str = "") -> None:
        """Store how far the job is, twice a second at most, and look whether it is to stop.

        The end and a step with another text are always stored.
        """
        is_end = done is not None and done == total
        if not self._looks_again() and not is_end and text == self._text:
            return
        self._text = text
        values: dict[str, Any] = {"progress_text": text[:TEXT_LENGTH], "due_at": lease_end(self.clock())}
        if done is not None:
            values["progress_done"] = done
        if total is not None:
            values["progress_total"] = total
        if not Job.objects.held(pk=self.job_id, fence=self.fence).update(**values):
            raise LeaseLost
        self._look()

    def check(self) -> None:
        """Look whether the job is to stop, twice a second at most."""
        if self._looks_again():
            self._look()

    def guard(self) -> None:
        """Hold the job until the end of the handler's transaction. Raises LeaseLost when it is somebody else's."""
        if not job_hold(job_id=self.job_id, fence=self.fence):
            raise LeaseLost

    def finish(self, result: Any) -> None:
        """Note the end of the job, with what the handler returned. Raises LeaseLost when it is somebody else's."""
        if not job_finish(job_id=self.job_id, fence=self.fence, result=result, now=self.clock()):
            raise LeaseLost

    def _looks_again(self) -> bool:
        if time.monotonic() - self._looked < LOOKS_APART_SECONDS:
            return False
        self._looked = time.monotonic()
        return True

    def _look(self) -> None:
        found = Job.objects.held(pk=self.job_id, fence=self.fence).values_list("cancel_requested", flat=True).first()
        if found is None:
            raise LeaseLost
        if found:
            raise JobCancelled("Somebody asked to stop it.")


@contextmanager
def _lease_kept(job: Job, kind: JobKind, clock: Clock) -> Iterator[None]:
    """Renew the lease from a thread of its own until the handler is done, or has taken longer than its kind may."""
    over = threading.Event()
    keeper = threading.Thread(target=_keep, args=(job, kind, clock, over), name=f"lease-{job.pk}", daemon=True)
    keeper.start()
    try:
        yield
    finally:
        over.set()
        keeper.join()


def _keep(job: Job, kind: JobKind, clock: Clock, over: threading.Event) -> None:
    ends = time.monotonic() + kind.limit
    try:
        while not over.wait(settings.JOB_LEASE / 3) and time.monotonic() < ends:
            try:
                if not job_renew(job_id=job.pk, fence=job.fence, now=clock()):
                    return
            except DatabaseError:
                # The next turn tries anew; when the lease ends first, the job is somebody else's, which is right.
                log.warning("job_lease_not_renewed")
                connection.close()
    finally:
        connection.close()
