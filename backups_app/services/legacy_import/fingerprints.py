"""Tells whether a store is still the one that a run had begun to read: by the names, sizes and times of its files."""

import hashlib
from pathlib import Path

from backups_app.legacy.files import FoundFile, files_at
from backups_app.legacy.locations import Location


def fingerprint_of(location: Location) -> str:
    """A digest over what lies at a path; empty for a server, which does not stand still."""
    if not isinstance(location, Path):
        return ""
    digest = hashlib.sha256()
    # There may be many files: of each no more than this is held.
    found = sorted(_told(entry) for entry in files_at(location) if isinstance(entry, FoundFile))
    for name, size, changed in found:
        digest.update(f"{name}\0{size}\0{changed}\n".encode("utf-8", "surrogateescape"))
    return digest.hexdigest()


def _told(file: FoundFile) -> tuple[str, int, int]:
    told = file.path.stat()
    return file.name, told.st_size, told.st_mtime_ns
