"""What goes: one backup by hand, old ones to make room, and what processes left that died at their work."""

from datetime import datetime, timedelta

import structlog
from django.db import transaction

from backups_app.models import Backup, Restore
from backups_app.models.backups import BackupQuerySet
from backups_app.services.backups.folders import (
    archive_is_there,
    archive_remove,
    folder_check,
    half_removed,
    remains,
    remains_remove,
)
from backups_app.services.backups.runs import dead_runs_end
from config.shared.callers import SYSTEM, Caller
from config.shared.errors import Conflict
from sessions_app.services.staff_edits import row_audit, row_update

# A folder that no row knows may be another installation's that is being written; after a day it is nobody's.
UNKNOWN_REMAINS = timedelta(days=1)
FAILURES_KEPT = 10
log = structlog.get_logger(__name__)


def backup_delete(*, backup: Backup, caller: Caller, now: datetime, dry_run: bool = False) -> None:
    """Remove a backup, its folder and its row; with `dry_run` only see whether that may be.

    Raises Conflict while it is being made, while it is protected, and while a restore is at work; Unavailable when the
    folder of archives is away, because the archive would stay there and nobody would know of it. The folder goes first:
    when that fails nothing is forgotten, and the next try goes on.
    """
    _refuse_while_restoring()
    backup.refresh_from_db()
    if backup.is_running:
        raise Conflict(f"The backup {backup.name} is being made; stop its job first.")
    if backup.protected:
        raise Conflict(f"The backup {backup.name} is protected; take the protection away first.")
    if backup.status != Backup.Status.FAILED:
        folder_check()
    if dry_run:
        return
    _remove(backup, caller, now)


def _remove(backup: Backup, caller: Caller, now: datetime) -> None:
    archive_remove(backup.location or backup.name)
    with transaction.atomic():
        told = {"name": backup.name, "status": backup.status}
        row_audit(row=backup, verb="delete", changes=told, caller=caller, now=now)
        backup.delete()


def removals_finish(*, now: datetime) -> list[str]:
    """Finish the removals that were interrupted, folder and row, and return the names of those backups.

    None is touched while a restore is at work, and none that was protected since. What the folder still refuses is
    left to the next time, which the log tells.
    """
    finished: list[str] = []
    if Restore.objects.filter(is_running=True).exists():
        return finished
    for backup in Backup.objects.filter(location__in=half_removed(), protected=False, is_running=None):
        try:
            _remove(backup, SYSTEM, now)
        except OSError as error:
            log.warning("removal_not_finished", backup=backup.name, error=str(error))
        else:
            finished.append(backup.name)
    return finished


def backup_protect(*, backup: Backup, protected: bool, caller: Caller, now: datetime) -> Backup:
    """Protect a backup from being removed, or take the protection away."""
    backup.protected = protected
    row_update(row=backup, changed=["protected"], caller=caller, now=now)
    return backup


def backups_prune(*, keep: int, now: datetime, caller: Caller = SYSTEM, dry_run: bool = False) -> list[str]:
    """Remove archives until `keep` are left (0: all stay), and return the names of those that went.

    With `dry_run` nothing goes, and the names are of those that would.
    Runs that failed before the newest verified backup go in any case, and the last ten of those after it stay. Then
    damaged archives go, then verified ones, the oldest first; never the newest verified one, never a protected one.
    Without a verified backup whose archive is there no archive goes at all. Raises Conflict while a restore is at work,
    Unavailable when the folder of archives is away.
    """
    _refuse_while_restoring()
    if not dry_run:
        removals_finish(now=now)
    newest = _newest_there()
    victims = _failed_of_no_use(newest)
    if newest is not None and keep > 0:
        victims += _archives_beyond(keep, newest)
    for backup in victims:
        backup_delete(backup=backup, caller=caller, now=now, dry_run=dry_run)
    return [backup.name for backup in victims]


def _newest_there() -> Backup | None:
    """Return the newest verified backup whose archive was not taken out of the folder behind our back."""
    verified = list(Backup.objects.verified().newest_first())
    if verified:
        folder_check()
    return next((row for row in verified if archive_is_there(row.location or row.name)), None)


def _failed_of_no_use(newest: Backup | None) -> list[Backup]:
    failed = Backup.objects.filter(status=Backup.Status.FAILED, protected=False).newest_first()
    news = [row for row in failed if newest is None or row.started_at > newest.started_at][:FAILURES_KEPT]
    shown = {row.pk for row in news}
    return [row for row in failed if row.pk not in shown]


def _archives_beyond(keep: int, newest: Backup) -> list[Backup]:
    archives = Backup.objects.filter(status__in=[Backup.Status.VERIFIED, Backup.Status.DAMAGED])
    too_many = max(0, archives.count() - keep)
    return [*_oldest(archives, Backup.Status.DAMAGED, newest), *_oldest(archives, Backup.Status.VERIFIED, newest)][
        :too_many
    ]


def _oldest(archives: BackupQuerySet, status: str, newest: Backup) -> list[Backup]:
    rows = archives.filter(status=status, protected=False).exclude(pk=newest.pk)
    return list(rows.order_by("started_at", "id"))


def stale_backups_fail(*, now: datetime) -> list[str]:
    """Mark the runs as failed whose process died, remove what they left, and return the names of those backups.

    Removals that were interrupted are finished, too. Safe to run at any time, and twice.
    """
    dead = dead_runs_end(now=now)
    removals_finish(now=now)
    _remains_of_the_dead(now)
    return dead


def _remains_of_the_dead(now: datetime) -> None:
    untouched = set(Backup.objects.filter(is_running=True).values_list("name", flat=True))
    # Whoever protects a backup whose removal has begun wants to keep what is left of it.
    untouched |= set(Backup.objects.filter(protected=True, location__in=half_removed()).values_list("name", flat=True))
    for name, folder in remains():
        is_known = Backup.objects.filter(name=name).exists()
        is_old = folder.stat().st_mtime < (now - UNKNOWN_REMAINS).timestamp()
        if name not in untouched and (is_known or is_old):
            remains_remove(folder)


def _refuse_while_restoring() -> None:
    if Restore.objects.filter(is_running=True).exists():
        raise Conflict("A restore is at work; nothing is removed meanwhile.")
