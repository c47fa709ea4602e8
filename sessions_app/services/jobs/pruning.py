"""Pruning: finished jobs are forgotten after a while, those that failed or were parked after twice as long."""

from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Q

from config.shared.jobs import job_kinds
from sessions_app.models import Job

ROWS_PER_BATCH = 500


def jobs_prune(*, now: datetime, batch: int = ROWS_PER_BATCH) -> int:
    """Forget finished jobs after JOB_DAYS (or what their kind says), and return how many.

    Failed and parked ones stay twice as long. Works in bounded batches, each one transaction; safe to run twice.
    """
    keep = timedelta(days=settings.JOB_DAYS)
    bad = Q(state__in=[Job.State.FAILED, Job.State.PARKED])
    total = _pruned(Q(finished_at__lt=now - keep) & ~bad, batch) + _pruned(Q(finished_at__lt=now - 2 * keep), batch)
    for kind in job_kinds():
        if kind.keep_hours is not None:
            older = Q(kind=kind.name, created_at__lt=now - timedelta(hours=kind.keep_hours))
            total += _pruned(older & Q(state__in=[Job.State.SUCCEEDED, Job.State.CANCELLED]), batch)
    return total


def _pruned(which: Q, batch: int) -> int:
    total = 0
    while old := list(Job.objects.filter(which).values_list("pk", flat=True)[:batch]):
        total += Job.objects.filter(pk__in=old).delete()[0]
    return total
