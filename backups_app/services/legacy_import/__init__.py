"""Bringing in the stores of older systems, through the same services as the API."""

from backups_app.services.legacy_import.report import ImportReport, KindCounts
from backups_app.services.legacy_import.runner import store_import

__all__ = ["ImportReport", "KindCounts", "store_import"]
