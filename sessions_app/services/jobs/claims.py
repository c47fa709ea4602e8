"""Claims: who runs a job, until when, under which token; each change is one conditional update, judged by its count."""

import random
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import F

from config.shared.jobs import JobKind
from sessions_app.models import Event, Job
from sessions_app.services.events import event_record

LONGEST_PAUSE_SECONDS = 3600
ERROR_LENGTH = 4000
TOO_LATE = "It was not started in time; the next one does its work."
WORKER_LOST = "The worker that ran it disappeared."


def job_claim(*, job_id: int, now: datetime, woken: bool = False) -> Job | None:
    """Take a job that is due, under a new fencing token; return it, or None when there is nothing to do.

    One that was left by a dead worker is taken as well. One that has had all its attempts is parked instead, one whose
    time is over is dropped. A look and one conditional update: no lock is held from the one to the other.
    """
    seen: Job | None = Job.objects.due(now).filter(pk=job_id).first()
    if seen is None:
        return None
    if outcome := _outcome_without_run(seen, now):
        _end_unclaimed(seen, *outcome, now)
        return None
    claimed = {
        "state": Job.State.RUNNING,
        "attempts": seen.attempts + 1,
        "fence": seen.fence + 1,
        "due_at": lease_end(now),
        "woken": woken,
        "started_at": now,
    }
    if not _as_seen(seen).update(**claimed):
        return None
    for name, value in claimed.items():
        setattr(seen, name, value)
    return seen


def _outcome_without_run(job: Job, now: datetime) -> tuple[Job.State, str] | None:
    """Return state and error of a job that is due, but is not to be run any more."""
    if job.cancel_requested:
        return Job.State.CANCELLED, ""
    if job.state == Job.State.QUEUED and job.expires_at is not None and job.expires_at <= now:
        return Job.State.CANCELLED, TOO_LATE
    if job.attempts >= job.max_attempts:
        return Job.State.PARKED, job.error or WORKER_LOST
    return None


def lease_end(now: datetime) -> datetime:
    """Return until when a claim or a heartbeat made now holds."""
    return now + timedelta(seconds=settings.JOB_LEASE)


def job_renew(*, job_id: int, fence: int, now: datetime) -> bool:
    """Renew the lease of a running job; return False when it is somebody else's by now."""
    return bool(Job.objects.held(pk=job_id, fence=fence).update(due_at=lease_end(now)))


def job_hold(*, job_id: int, fence: int) -> bool:
    """Lock the job's row until the end of the transaction; return False when it is somebody else's by now."""
    return bool(Job.objects.held(pk=job_id, fence=fence).update(fence=F("fence")))


def job_finish(*, job_id: int, fence: int, result: Any, now: datetime) -> bool:
    """Note that the job is done; return False, and change nothing, when the run is stale."""
    values = {"state": Job.State.SUCCEEDED, "result": result, "error": ""}
    return bool(Job.objects.held(pk=job_id, fence=fence).update(**values, **_over(now)))


@transaction.atomic
def job_fail(*, job: Job, kind: JobKind | None, error: str, now: datetime, for_good: bool = False) -> str | None:
    """Note that an attempt failed: the job waits for the next one, is parked after the last, or fails for good.

    Returns the new state, or None when the run is stale and nothing was changed.
    """
    values: dict[str, Any] = {"error": error[:ERROR_LENGTH]}
    if for_good:
        values |= {"state": Job.State.FAILED, **_over(now)}
    elif job.attempts >= job.max_attempts:
        values |= {"state": Job.State.PARKED, **_over(now)}
    else:
        values |= {"state": Job.State.QUEUED, "due_at": now + pause_after(kind, job.attempts), "expires_at": None}
    if not Job.objects.held(pk=job.pk, fence=job.fence).update(**values):
        return None
    if values["state"] == Job.State.PARKED:
        _tell_parked(job, values["error"], now)
    return str(values["state"])


def job_stop(*, job_id: int, fence: int, now: datetime) -> bool:
    """Note that a running job has followed the request to stop."""
    values = {"state": Job.State.CANCELLED, **_over(now)}
    return bool(Job.objects.held(pk=job_id, fence=fence).update(**values))


def pause_after(kind: JobKind | None, attempts: int) -> timedelta:
    """Return how long to wait after so many attempts: doubling, at most an hour, parted by chance."""
    first = kind.back_off if kind else 60
    seconds = min(first * 2 ** (attempts - 1), LONGEST_PAUSE_SECONDS)
    return timedelta(seconds=seconds * random.uniform(0.8, 1.2))  # noqa: S311


def _as_seen(job: Job) -> Any:
    """Return the row while nobody has changed whose it is since it was read."""
    return Job.objects.filter(pk=job.pk, state=job.state, fence=job.fence, due_at=job.due_at)


@transaction.atomic
def _end_unclaimed(job: Job, state: Job.State, error: str, now: datetime) -> None:
    ended = _as_seen(job).update(state=state, error=error, **_over(now))
    if ended and state == Job.State.PARKED:
        _tell_parked(job, error, now)


def _over(now: datetime) -> dict[str, Any]:
    return {"due_at": None, "finished_at": now, "cancel_requested": False}


def _tell_parked(job: Job, error: str, now: datetime) -> None:
    payload = {"kind": job.kind, "attempts": job.attempts, "error": error[:200]}
    event_record(project_id=job.project_id, kind=Event.Kind.JOB_PARKED, subject=str(job.pk), payload=payload, now=now)
