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
    found = sorted((entry.name, entry.path) for entry in files_at(location) if isinstance(entry, FoundFile))
    for name, path in found:
        told = path.stat()
        digest.update(f"{name}\0{told.st_size}\0{told.st_mtime_ns}\n".encode("utf-8", "surrogateescape"))
    return digest.hexdigest()
