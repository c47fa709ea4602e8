"""The clock of the house: one table of every periodic job."""

from dataclasses import dataclass


@dataclass(frozen=True)
class ScheduledJob:
    """One periodic job. Either `every_setting` or `cron` says when.

    `every_setting` names the setting that holds the interval in seconds (0 switches the job off); `cron` is minute,
    hour, day of month, month and day of week in UTC. A run that waited in the queue for `expires` seconds is dropped:
    the next one does its work.
    """

    name: str
    job: str
    description: str
    expires: int
    every_setting: str | None = None
    cron: str | None = None


SCHEDULE = (
    ScheduledJob(
        name="sessions-mark-expired",
        job="sessions_app.jobs.mark_expired_sessions",
        description="Marks sessions as expired whose time to live has passed.",
        every_setting="CLEANUP_INTERVAL",
        expires=240,
    ),
    ScheduledJob(
        name="kept-answers-prune",
        job="sessions_app.jobs.prune_kept_answers",
        description="Forgets the answers kept for Idempotency-Keys after IDEMPOTENCY_HOURS.",
        every_setting="CLEANUP_INTERVAL",
        expires=240,
    ),
)
