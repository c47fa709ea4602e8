"""Bringing in the stores of older systems, through the same services as the API."""

from backups_app.services.legacy_import.deposits import (
    deposit_import,
    import_dir_names,
    upload_keep,
    uploads_prune,
)
from backups_app.services.legacy_import.report import ImportReport, KindCounts
from backups_app.services.legacy_import.runner import import_resume, store_import
from backups_app.services.legacy_import.runs import stale_imports_interrupt

__all__ = [
    "ImportReport",
    "KindCounts",
    "deposit_import",
    "import_dir_names",
    "import_resume",
    "stale_imports_interrupt",
    "store_import",
    "upload_keep",
    "uploads_prune",
]
