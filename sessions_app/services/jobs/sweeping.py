"""The sweep of every worker: finds what no wake-up reached and what a dead worker left, broker or not."""

import random
from collections.abc import Callable
from datetime import datetime, timedelta

from django.utils import timezone

from sessions_app.models import Job
from sessions_app.services.jobs.running import job_run

FOUND_AT_ONCE = 50
# So long a wake-up gets to arrive before the sweep does its work.
PATIENCE = timedelta(seconds=3)


def jobs_due(*, now: datetime, limit: int = FOUND_AT_ONCE, patience: timedelta = PATIENCE) -> list[int]:
    """Return the ids of jobs that are due for longer than a wake-up takes: the oldest, in an order of chance.

    Several workers look at the same time, and chance keeps them from claiming the same ones after each other.
    """
    due = Job.objects.due(now - patience).order_by("due_at", "id").values_list("pk", flat=True)
    found = list(due[:limit])
    random.shuffle(found)
    return found


def jobs_sweep(*, clock: Callable[[], datetime] = timezone.now, patience: timedelta = PATIENCE) -> int:
    """Run everything that is due, in this thread, until nothing is left; return how many were run."""
    ran = 0
    while found := jobs_due(now=clock(), patience=patience):
        done = sum(job_run(job_id=job_id, clock=clock) is not None for job_id in found)
        if not done:
            break
        ran += done
    return ran
