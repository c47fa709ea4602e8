"""The tables of the keep."""

from backups_app.models.imports import ImportFinding, ImportRun

__all__ = ["ImportFinding", "ImportRun"]
