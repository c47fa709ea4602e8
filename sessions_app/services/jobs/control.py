"""What people may do to a job: stop it, and have it tried again."""

from datetime import datetime

from django.db import transaction

from config.shared.callers import Caller
from config.shared.errors import Conflict
from sessions_app.models import Job
from sessions_app.services.jobs.enqueuing import wake_after_commit
from sessions_app.services.staff_edits import row_audit


@transaction.atomic
def job_cancel(*, job: Job, caller: Caller, now: datetime) -> Job:
    """Stop a job: a queued one at once, a running one at its next look. Raises Conflict when it is over already."""
    ended = {"state": Job.State.CANCELLED, "due_at": None, "finished_at": now}
    if not Job.objects.filter(pk=job.pk, state=Job.State.QUEUED).update(**ended):
        running = Job.objects.filter(pk=job.pk, state=Job.State.RUNNING)
        if not running.update(cancel_requested=True):
            raise Conflict("The job is over already.")
    job.refresh_from_db()
    row_audit(row=job, verb="cancel", changes={"kind": job.kind}, caller=caller, now=now)
    return job


@transaction.atomic
def job_retry(*, job: Job, caller: Caller, now: datetime) -> Job:
    """Queue a job that failed, was parked or was cancelled, with all its attempts anew. Raises Conflict for others."""
    anew = {
        "state": Job.State.QUEUED,
        "attempts": 0,
        "due_at": now,
        "expires_at": None,
        "finished_at": None,
        "cancel_requested": False,
        "progress_done": 0,
        "progress_text": "",
    }
    ended = Job.objects.filter(pk=job.pk, state__in=[Job.State.FAILED, Job.State.PARKED, Job.State.CANCELLED])
    if not ended.update(**anew):
        raise Conflict("Only a job that failed, was parked or was cancelled can be tried again.")
    job.refresh_from_db()
    row_audit(row=job, verb="retry", changes={"kind": job.kind}, caller=caller, now=now)
    wake_after_commit(job_id=job.pk)
    return job
