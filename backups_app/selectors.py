"""What is known of the backups as a whole: how old the newest good one is, and whether that is old."""

from dataclasses import dataclass
from datetime import datetime

from django.conf import settings

from backups_app.models import Backup

# So many intervals without a verified backup are too many.
INTERVALS_MISSED = 2


@dataclass(frozen=True)
class BackupStanding:
    """The newest verified backup, how old it is in seconds, and the newest failure that came after it.

    `is_late` says that BACKUP_INTERVAL asks for a newer one.
    """

    newest: Backup | None
    age_seconds: float | None
    failed: Backup | None
    running: Backup | None
    is_late: bool


def backup_standing(*, now: datetime) -> BackupStanding:
    """Return where the backups stand, by three questions to the index."""
    newest = Backup.objects.verified().newest_first().first()
    failed = Backup.objects.filter(status=Backup.Status.FAILED).newest_first().first()
    running = Backup.objects.filter(is_running=True).first()
    if failed is not None and newest is not None and failed.started_at < newest.started_at:
        failed = None
    age = None if newest is None else max(0.0, (now - newest.started_at).total_seconds())
    interval = settings.BACKUP_INTERVAL
    is_late = bool(interval) and age is not None and age > INTERVALS_MISSED * interval
    return BackupStanding(newest, age, failed, running, is_late)
