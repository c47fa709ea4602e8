"""Sorts what lies at a path into the files of a store, and findings about what is left alone."""

from collections.abc import Callable
from pathlib import Path

from backups_app.legacy.files import FoundFile, NotFollowed, files_at
from backups_app.legacy.types import Finding, Level, Place

Judgement = Callable[[FoundFile], bool]


def files_listed(
    root: Path, belongs: Judgement, stray: str, is_read_elsewhere: Judgement | None = None
) -> tuple[list[FoundFile], list[Finding]]:
    """Return the files that belong to the store, and a finding for each other entry: `stray` says what it is not.

    What is read together with another file needs no finding.
    """
    files, skipped = [], []
    for entry in files_at(root):
        if isinstance(entry, NotFollowed):
            skipped.append(Finding(Level.SKIPPED, "not_followed", Place(entry.name), entry.why, "file"))
        elif belongs(entry):
            files.append(entry)
        elif is_read_elsewhere is None or not is_read_elsewhere(entry):
            skipped.append(Finding(Level.SKIPPED, "stray_file", Place(entry.name), stray, "file"))
    return files, skipped
