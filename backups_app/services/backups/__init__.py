"""Backups of the whole store: made, read back, restored, pruned and removed."""

from backups_app.services.backups.catalogue import backups_scan
from backups_app.services.backups.create import backup_create
from backups_app.services.backups.handing_out import HandedOut, backup_hand_out, backup_hand_out_size
from backups_app.services.backups.keys import public_key
from backups_app.services.backups.removing import backup_delete, backup_protect, backups_prune, stale_backups_fail
from backups_app.services.backups.restore import backup_restore
from backups_app.services.backups.verify import BackupReport, Inspected, archive_inspect, backup_verify

__all__ = [
    "BackupReport",
    "HandedOut",
    "Inspected",
    "archive_inspect",
    "backup_create",
    "backup_delete",
    "backup_hand_out",
    "backup_hand_out_size",
    "backup_protect",
    "backup_restore",
    "backup_verify",
    "backups_prune",
    "backups_scan",
    "public_key",
    "stale_backups_fail",
]
