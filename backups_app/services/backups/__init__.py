"""Backups of the whole store: made, read back and pruned."""

from backups_app.services.backups.create import backup_create
from backups_app.services.backups.verify import BackupReport, Inspected, archive_inspect, backup_verify

__all__ = ["BackupReport", "Inspected", "archive_inspect", "backup_create", "backup_verify"]
