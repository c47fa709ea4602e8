"""The portable archive of a whole store: pure code that writes and reads it (docs/archive-format.md)."""

from backups_app.archive.manifest import Manifest
from backups_app.archive.reading import Archive, archive_open
from backups_app.archive.refusals import ArchiveRefused, KeyMissing
from backups_app.archive.writing import ArchiveWriter

__all__ = ["Archive", "ArchiveRefused", "ArchiveWriter", "KeyMissing", "Manifest", "archive_open"]
