"""Jobs: asked for in the caller's transaction, claimed under a fencing token, run, retried, parked, swept, pruned.

The row is the truth. The broker only says "look now"; when it says nothing, the sweep of every worker finds the row.
"""

from sessions_app.services.jobs.control import job_cancel, job_retry
from sessions_app.services.jobs.enqueuing import job_enqueue, job_enqueue_once
from sessions_app.services.jobs.pruning import jobs_prune
from sessions_app.services.jobs.running import job_run
from sessions_app.services.jobs.sweeping import jobs_due, jobs_sweep

__all__ = [
    "job_cancel",
    "job_enqueue",
    "job_enqueue_once",
    "job_retry",
    "job_run",
    "jobs_due",
    "jobs_prune",
    "jobs_sweep",
]
