"""Runs of backups and restores: begun one at a time, kept alive by a lease, and ended with their cause."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import datetime

import structlog
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import Max
from django.utils import timezone
from django.utils.crypto import get_random_string

from backups_app.models import Backup, Restore
from backups_app.models.backups import name_is_safe
from backups_app.services.leases import lease_end, lease_renewed
from config.shared.errors import Conflict, InvalidInput
from sessions_app.models import Event
from sessions_app.services.events import event_record

CAUSE_LENGTH = 4000
EVENT_CAUSE_LENGTH = 200
LOST = "The process that was at work on it disappeared."
_LETTERS = "abcdefghijkmnpqrstuvwxyz23456789"
log = structlog.get_logger(__name__)


class AtWork(Conflict):
    """Another backup or a restore is at work: the same may be asked for again when it is over."""


def backup_name_new(*, now: datetime) -> str:
    """Return a name for a backup that begins now: the time in UTC and four letters of chance."""
    return f"{now:%Y%m%d-%H%M%S}-{get_random_string(4, _LETTERS)}"


def name_check(name: str) -> str:
    """Return the name. Raises InvalidInput where it could not be the name of a folder."""
    try:
        name_is_safe(name)
    except ValidationError as error:
        raise InvalidInput.at("/name", error.messages[0]) from error
    return name


def backup_begin(*, name: str | None, trigger: str, requested_by: str, now: datetime) -> Backup:
    """Make the row of a backup that begins now, under the next number.

    Raises InvalidInput for a name that cannot be a folder's, AtWork while another backup or a restore is at work,
    Conflict where the name is taken. What is at work and was not heard of for too long is over, and stands in nobody's
    way.
    """
    name = name_check(name) if name else backup_name_new(now=now)
    dead_runs_end(now=now)
    if Restore.objects.filter(is_running=True).exists():
        raise AtWork("A restore is at work. A backup begins when it is over.")
    row = Backup(
        name=name,
        trigger=trigger,
        requested_by=requested_by[:255],
        started_at=now,
        is_running=True,
        lease_until=lease_end(now),
        location=name,
        sequence=(Backup.objects.aggregate(last=Max("sequence"))["last"] or 0) + 1,
    )
    try:
        with transaction.atomic():
            row.save(force_insert=True)
    except IntegrityError as error:
        raise _why_not(name) from error
    return row


def _why_not(name: str) -> Conflict:
    if Backup.objects.filter(name=name).exists():
        return Conflict(f"There is a backup named {name} already.")
    running = Backup.objects.filter(is_running=True).first()
    return AtWork(f"The backup {running.name} is being made; one at a time." if running else "Another one was first.")


@transaction.atomic
def backup_fail(*, backup: Backup, cause: str, now: datetime) -> Backup:
    """Mark a running backup as failed, with its cause, and tell of it in the same transaction (BACKUP_FAILED)."""
    ended = {
        "status": Backup.Status.FAILED,
        "finished_at": max(now, backup.started_at),
        "failure": cause[:CAUSE_LENGTH],
    }
    if Backup.objects.filter(pk=backup.pk, is_running=True).update(is_running=None, lease_until=None, **ended):
        payload = {"trigger": backup.trigger, "cause": cause[:EVENT_CAUSE_LENGTH]}
        event_record(project_id=None, kind=Event.Kind.BACKUP_FAILED, subject=backup.name, payload=payload, now=now)
    backup.refresh_from_db()
    return backup


def restore_begin(*, backup_name: str, target: str, replace: bool, requested_by: str, now: datetime) -> Restore:
    """Make the row of a restore that begins now. Raises AtWork while a backup or another restore is at work."""
    dead_runs_end(now=now)
    if Backup.objects.filter(is_running=True).exists():
        raise AtWork("A backup is being made. A restore begins when it is over.")
    row = Restore(
        backup_name=backup_name[:1000],
        target=target[:500],
        replace=replace,
        requested_by=requested_by[:255],
        started_at=now,
        is_running=True,
        lease_until=lease_end(now),
    )
    try:
        with transaction.atomic():
            row.save(force_insert=True)
    except IntegrityError as error:
        raise AtWork("A restore is at work already; one at a time.") from error
    return row


def restore_end(
    *,
    restore: Restore,
    status: str,
    now: datetime,
    row_count: int = 0,
    report: dict[str, object] | None = None,
    failure: str = "",
) -> Restore:
    """Mark a running restore as completed, failed or only looked at, with what it did."""
    restore.status, restore.row_count, restore.failure = status, row_count, failure[:CAUSE_LENGTH]
    restore.report = report or {}
    restore.is_running = restore.lease_until = None
    restore.finished_at = max(now, restore.started_at)
    restore.save()
    return restore


def restore_fail(
    *, restore: Restore, error: BaseException, now: datetime, report: dict[str, object] | None = None
) -> None:
    """Keep the cause; a row that was ended with the load's own transaction stays as it is."""
    restore.refresh_from_db()
    if restore.is_running:
        cause = str(error) or type(error).__name__
        restore_end(restore=restore, status=Restore.Status.FAILED, now=now, failure=cause, report=report)


def dead_runs_end(*, now: datetime) -> list[str]:
    """Mark the runs as failed whose process died, and return the names of those backups.

    A run counts as dead when its lease was not renewed.
    """
    dead = list(Backup.objects.filter(is_running=True, lease_until__lt=now))
    for backup in dead:
        backup_fail(backup=backup, cause=LOST, now=now)
    for restore in Restore.objects.filter(is_running=True, lease_until__lt=now):
        restore_end(restore=restore, status=Restore.Status.FAILED, now=now, failure=LOST)
    return [backup.name for backup in dead]


def lease_kept(row: Backup | Restore, clock: Callable[[], datetime] = timezone.now) -> AbstractContextManager[None]:
    """Renew the run's lease from a thread of its own while it is at work: what is not renewed counts as dead."""
    return lease_renewed(type(row)._default_manager.filter(pk=row.pk, is_running=True), f"lease-{row}", clock)
