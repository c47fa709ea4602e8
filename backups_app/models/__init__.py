"""The tables of the keep."""

from backups_app.models.backups import Backup, Restore
from backups_app.models.imports import ImportFinding, ImportRun

__all__ = ["Backup", "ImportFinding", "ImportRun", "Restore"]
