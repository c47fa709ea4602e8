"""How the backups of the store stand: is there a good one, is it young enough, and what is at work."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from django.conf import settings

from backups_app.models import Backup
from config.shared.querysets import starts_with
from sessions_app.models import Job, Project

# So many intervals without a verified backup mean that something keeps them from being made.
INTERVALS_MISSED = 2
JOBS_SHOWN = 20
State = Literal["ok", "late", "failed", "none"]


@dataclass(frozen=True)
class BackupStanding:
    """The newest verified backup, and what is wrong if something is.

    `state` is `failed` when the last run failed or what it made was found damaged, `late` when the newest verified
    backup is older than two BACKUP_INTERVALs, `none` when there has been none. `overdue` says that one should be there
    that is not: also where there has been none, since the store is there for two intervals.
    """

    state: State
    newest: Backup | None
    last: Backup | None
    age: timedelta | None
    overdue: bool


def backup_standing(*, now: datetime) -> BackupStanding:
    """Return how the backups stand. Takes one small query where all is well, and two otherwise."""
    last = Backup.objects.exclude(status=Backup.Status.RUNNING).newest_first().first()
    newest = last
    if last is not None and last.status != Backup.Status.VERIFIED:
        newest = Backup.objects.verified().newest_first().first()
    age = None if newest is None else max(timedelta(0), now - newest.started_at)
    overdue = _is_overdue(age if age is not None else _age_of_store(now))
    return BackupStanding(_state(newest, last, overdue), newest, last, age, overdue)


def jobs_at_work(*, kinds: str) -> list[Job]:
    """Return the jobs whose kinds begin so and that are not over, the oldest first."""
    return list(Job.objects.open().filter(starts_with("kind", kinds)).order_by("id")[:JOBS_SHOWN])


def job_at_work(*, kind: str, name: str) -> Job | None:
    """Return the oldest job of this very kind about the backup of this name that is not over."""
    jobs = Job.objects.open().filter(kind=kind).order_by("id")
    return next((job for job in jobs if job.arguments.get("name") == name), None)


def _state(newest: Backup | None, last: Backup | None, overdue: bool) -> State:
    if last is not None and last.status in (Backup.Status.FAILED, Backup.Status.DAMAGED):
        return "failed"
    if newest is None:
        return "none"
    return "late" if overdue else "ok"


def _is_overdue(age: timedelta) -> bool:
    return settings.BACKUP_INTERVAL > 0 and age > INTERVALS_MISSED * timedelta(seconds=settings.BACKUP_INTERVAL)


def _age_of_store(now: datetime) -> timedelta:
    first = Project.objects.order_by("id").values_list("created_at", flat=True).first()
    return timedelta(0) if first is None else max(timedelta(0), now - first)
