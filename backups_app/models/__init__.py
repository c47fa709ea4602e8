"""The tables of the keep."""

from backups_app.models.backups import Backup, Restore
from backups_app.models.imports import ImportFinding, ImportRun
from backups_app.models.origins import ImportOrigin

__all__ = ["Backup", "ImportFinding", "ImportOrigin", "ImportRun", "Restore"]
