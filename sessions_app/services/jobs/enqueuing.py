"""Asking for a job: a row in the caller's transaction, and a wake-up of the workers after its commit."""

from collections.abc import Mapping
from datetime import datetime
from functools import partial
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils.module_loading import import_string

from config.shared.callers import SYSTEM, Caller
from config.shared.errors import Conflict
from config.shared.jobs import job_kind
from sessions_app.models import Job

ASKED_BY_LENGTH = 255


def job_enqueue(
    *,
    kind: str,
    now: datetime,
    arguments: Mapping[str, Any] | None = None,
    project_id: int | None = None,
    slot: str | None = None,
    run_after: datetime | None = None,
    expires_at: datetime | None = None,
    caller: Caller = SYSTEM,
) -> Job:
    """Ask for a job in the caller's transaction: it exists exactly when that commits. Workers are woken afterwards.

    `arguments` are JSON, and what the kind's handler takes. A job with a `slot` is the only one of its kind that ever
    has it. It starts at `run_after` at the earliest, and is dropped when it was not started by `expires_at`. Raises
    NotFound for an unknown kind, Conflict when the slot is taken.
    """
    job, is_new = job_enqueue_once(
        kind=kind,
        slot=slot,
        now=now,
        arguments=arguments,
        project_id=project_id,
        run_after=run_after,
        expires_at=expires_at,
        caller=caller,
    )
    if not is_new:
        raise Conflict(f"There is a job of the kind {kind} for {slot} already (#{job.pk}).")
    return job


def job_enqueue_once(
    *,
    kind: str,
    slot: str | None,
    now: datetime,
    arguments: Mapping[str, Any] | None = None,
    project_id: int | None = None,
    run_after: datetime | None = None,
    expires_at: datetime | None = None,
    caller: Caller = SYSTEM,
) -> tuple[Job, bool]:
    """Do as `job_enqueue`, but return the job that has the slot already, and whether the job is new."""
    most = job_kind(kind).attempts or settings.JOB_ATTEMPTS
    job = Job(
        kind=kind,
        slot=slot,
        project_id=project_id,
        arguments=dict(arguments or {}),  # type: ignore[misc]
        max_attempts=most,
        due_at=run_after or now,
        expires_at=expires_at,
        asked_by=f"{caller.kind}: {caller.name}"[:ASKED_BY_LENGTH],
        created_at=now,
    )
    try:
        # A savepoint: where the slot is taken, the caller's transaction goes on.
        with transaction.atomic():
            job.save(force_insert=True)
    except IntegrityError:
        taken = Job.objects.filter(kind=kind, slot=slot).first() if slot is not None else None
        if taken is None:
            raise
        return taken, False
    if job.due_at is not None and job.due_at <= now:
        wake_after_commit(job_id=job.pk)
    return job, True


def wake_after_commit(*, job_id: int) -> None:
    """Tell the workers of a job once the transaction is committed; if that goes wrong, the sweep finds the job."""
    if settings.AGENTLEDGER_WAKE_FUNCTION:
        wake = import_string(settings.AGENTLEDGER_WAKE_FUNCTION)
        transaction.on_commit(partial(wake, job_id), robust=True)
