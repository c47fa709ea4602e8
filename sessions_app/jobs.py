"""Jobs about sessions, and the housekeeping of jobs and events; each makes one service call and may run twice."""

from celery import shared_task
from django.conf import settings
from django.utils import timezone

from config.shared.jobs import JobRun, job
from sessions_app.services.deletion import sessions_purge
from sessions_app.services.documents import documents_prune
from sessions_app.services.events import events_prune
from sessions_app.services.expiry import sessions_mark_expired
from sessions_app.services.external_deletions import external_deletions_run
from sessions_app.services.idempotency import kept_answers_prune
from sessions_app.services.jobs import job_run, jobs_prune
from sessions_app.services.pace import BACKGROUND_SHARE
from sessions_app.services.residency import agents_release_idle


@shared_task
def run_job(job_id: int) -> None:
    """Run a job that a wake-up names. The one Celery task: everything else is a row."""
    job_run(job_id=job_id, woken=True)


@job("sessions.mark_expired", keep_hours=24)
def mark_expired(run: JobRun) -> dict[str, int]:
    """Mark the sessions whose time to live has passed."""
    return {"expired": sessions_mark_expired(now=run.now, share=BACKGROUND_SHARE)}


@job("agents.release_idle", keep_hours=24)
def release_idle(run: JobRun) -> dict[str, int]:
    """Release the agents that have been silent for AGENT_IDLE_SECONDS; no data is touched."""
    idle = settings.AGENT_IDLE_SECONDS
    return {"released": agents_release_idle(now=run.now, idle_seconds=idle, share=BACKGROUND_SHARE)}


@job("sessions.purge", keep_hours=24)
def purge_deleted(run: JobRun) -> dict[str, int]:
    """Remove the rows of sessions that were deleted."""
    return {"removed": sessions_purge()}


@job("sessions.delete_elsewhere", keep_hours=24)
def delete_elsewhere(run: JobRun) -> dict[str, int]:
    """Delete, in other systems, the sessions of those that were deleted here."""
    return {"deleted": external_deletions_run(clock=timezone.now)}


@job("answers.prune", keep_hours=24)
def prune_answers(run: JobRun) -> dict[str, int]:
    """Forget the answers to writes that are too old to be retried."""
    return {"forgotten": kept_answers_prune(now=run.now)}


@job("documents.prune", keep_hours=24)
def prune_ended_documents(run: JobRun) -> dict[str, int]:
    """Remove documents whose time to live has passed."""
    return {"removed": documents_prune(now=run.now)}


@job("jobs.prune")
def prune_jobs(run: JobRun) -> dict[str, int]:
    """Forget jobs that were finished long ago."""
    return {"forgotten": jobs_prune(now=run.now)}


@job("events.prune")
def prune_events(run: JobRun) -> dict[str, int]:
    """Forget events that were delivered long ago, or that nobody fetched in time."""
    return {"forgotten": events_prune(now=run.now)}


@job("system.canary", attempts=1, keep_hours=2)
def sing(run: JobRun) -> None:
    """Do nothing: that it was done proves that workers take jobs."""
