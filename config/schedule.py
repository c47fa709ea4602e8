"""The clock of the house: one table of every periodic job."""

from dataclasses import dataclass
from typing import Literal

from django.utils.translation import gettext_noop as _

ONCE: Literal["once"] = "once"
SKIP: Literal["skip"] = "skip"


@dataclass(frozen=True)
class ScheduledJob:
    """One periodic job. Either `every_setting` or `cron` says when.

    `job` is the kind of the job (see the `jobs` modules). `every_setting` names the setting that holds the interval in
    seconds (0 switches the job off); `cron` is minute, hour, day of month, month and day of week in UTC. A run that
    was not started within `expires` seconds is dropped: the next one does its work. `missed` says what becomes of
    slots in which no scheduler ran: `once` makes them up with one run, however many they were; `skip` waits for the
    next.
    """

    name: str
    job: str
    description: str
    expires: int
    every_setting: str | None = None
    cron: str | None = None
    missed: Literal["once", "skip"] = ONCE


SCHEDULE = (
    ScheduledJob(
        name="sessions-mark-expired",
        job="sessions.mark_expired",
        description=_("Marks sessions as expired whose time to live has passed."),
        every_setting="CLEANUP_INTERVAL",
        expires=240,
    ),
    ScheduledJob(
        name="agents-release-idle",
        job="agents.release_idle",
        description=_("Releases agents that were silent for AGENT_IDLE_SECONDS; no data is touched."),
        every_setting="CLEANUP_INTERVAL",
        expires=240,
    ),
    ScheduledJob(
        name="deleted-sessions-purge",
        job="sessions.purge",
        description=_("Removes, in bounded batches, the rows of sessions that were deleted."),
        every_setting="CLEANUP_INTERVAL",
        expires=240,
    ),
    ScheduledJob(
        name="external-sessions-delete",
        job="sessions.delete_elsewhere",
        description=_("Deletes the sessions in other systems whose sessions here were deleted, until it is done."),
        every_setting="CLEANUP_INTERVAL",
        expires=240,
    ),
    ScheduledJob(
        name="kept-answers-prune",
        job="answers.prune",
        description=_("Forgets the answers kept for Idempotency-Keys after IDEMPOTENCY_HOURS."),
        every_setting="CLEANUP_INTERVAL",
        expires=240,
    ),
    ScheduledJob(
        name="events-prune",
        job="events.prune",
        description=_("Forgets events that were delivered, or waited, for EVENT_DAYS."),
        cron="17 * * * *",
        expires=3000,
    ),
    ScheduledJob(
        name="jobs-prune",
        job="jobs.prune",
        description=_("Forgets jobs that were finished JOB_DAYS ago."),
        cron="27 * * * *",
        expires=3000,
    ),
    ScheduledJob(
        name="stale-imports-interrupt",
        job="imports.interrupt_stale",
        description=_("Marks imports as interrupted whose process died; they can be resumed."),
        every_setting="CLEANUP_INTERVAL",
        expires=240,
    ),
    ScheduledJob(
        name="import-uploads-prune",
        job="imports.prune_uploads",
        description=_("Removes uploads of older stores that nobody brought in within seven days."),
        cron="47 3 * * *",
        expires=12 * 3600,
    ),
    ScheduledJob(
        name="canary",
        job="system.canary",
        description=_("Proves that workers take jobs; /readyz shows the last one."),
        every_setting="CANARY_INTERVAL",
        expires=50,
        missed=SKIP,
    ),
    ScheduledJob(
        name="search-index-fill",
        job="search.fill",
        description=_("Takes new records into the search index, which is filled behind the recording."),
        every_setting="SEARCH_FILL_INTERVAL",
        expires=60,
    ),
    ScheduledJob(
        name="documents-prune",
        job="documents.prune",
        description=_("Removes documents whose time to live has passed."),
        cron="37 * * * *",
        expires=3000,
    ),
    ScheduledJob(
        name="usage-roll-up",
        job="usage.roll_up",
        description=_("Adds token usage to the roll-ups by hour and day, which are filled behind the recording."),
        every_setting="ROLLUP_INTERVAL",
        expires=60,
    ),
    ScheduledJob(
        name="backup-make",
        job="backup.make",
        description=_("Makes a backup of the whole store, verifies it, and has old ones make room (MAX_BACKUPS)."),
        every_setting="BACKUP_INTERVAL",
        expires=12 * 3600,
    ),
    ScheduledJob(
        name="backups-settle",
        job="backup.settle",
        description=_("Marks backups and restores as failed whose process died, and removes what they left."),
        every_setting="CLEANUP_INTERVAL",
        expires=240,
    ),
)


def policy_of(name: str) -> str:
    """Return what becomes of missed slots of this entry; one that staff made is made up once."""
    return next((job.missed for job in SCHEDULE if job.name == name), ONCE)
