"""The folders of archives in BACKUP_DIR: where each is, and how one goes away so that no half of it is ever taken in.

A folder that is written is called `.<name>.partial`, one that is going away `.<name>.removing`; whatever has neither
ending and a manifest in it is an archive.
"""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from django.conf import settings

from backups_app.services.backups.runs import name_check
from config.shared.errors import Unavailable

MANIFEST = "manifest.json"
PARTIAL, REMOVING = ".partial", ".removing"


def folder_check() -> None:
    """Raise Unavailable where the folder of all archives is away: of none of them anything can be said then."""
    if not Path(settings.BACKUP_DIR).is_dir():
        raise Unavailable(f"The folder of archives is not there: {settings.BACKUP_DIR}.", retry_after=60)


def archive_folder(location: str) -> Path:
    """Return the folder of an archive by its name under BACKUP_DIR. Raises InvalidInput for anything but a name."""
    return Path(settings.BACKUP_DIR) / name_check(location)


def partial_folder(name: str) -> Path:
    """Return the folder in which the archive of this name is while it is written."""
    return Path(settings.BACKUP_DIR) / f".{name_check(name)}{PARTIAL}"


def archive_names() -> list[str]:
    """Return the names of the folders that have a manifest, or may not be looked into, in order."""
    root = Path(settings.BACKUP_DIR)
    if not root.is_dir():
        return []
    found = (entry for entry in root.iterdir() if not entry.name.startswith(".") and not entry.is_symlink())
    return sorted(entry.name for entry in found if _has_manifest(entry))


def _has_manifest(folder: Path) -> bool:
    try:
        return (folder / MANIFEST).is_file()
    except PermissionError:
        return True


def archive_is_there(location: str) -> bool:
    """Return whether there is an archive under this name: a folder with a manifest."""
    return _has_manifest(archive_folder(location))


def archive_files(location: str) -> list[Path]:
    """Return the files of an archive, the manifest first, the others by their path; links are none of them."""
    folder = archive_folder(location)
    found = sorted(path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    return sorted(found, key=lambda path: path != folder / MANIFEST)


def archive_remove(name: str) -> None:
    """Remove the folder of an archive, and what is left of one that was being written.

    It is renamed at once, so that nobody takes it in from then on; its manifest goes last, so that what an interruption
    leaves can still be told.
    """
    folder = archive_folder(name)
    away = folder.with_name(f".{name}{REMOVING}")
    if folder.is_symlink():
        folder.unlink()
    elif folder.exists():
        if away.exists():
            _emptied(away)
        folder.rename(away)
        _fsync(folder.parent)
    for rest in (away, partial_folder(name)):
        if rest.exists():
            _emptied(rest)


def remains() -> Iterator[tuple[str, Path]]:
    """Yield the folders that an interruption may have left, each with the name of its archive."""
    root = Path(settings.BACKUP_DIR)
    if not root.is_dir():
        return
    for entry in sorted(root.iterdir()):
        for ending in (PARTIAL, REMOVING):
            if entry.name.startswith(".") and entry.name.endswith(ending) and entry.is_dir() and not entry.is_symlink():
                yield entry.name[1 : -len(ending)], entry


def half_removed() -> list[str]:
    """Return the names of the archives whose removal was begun and not ended."""
    root = Path(settings.BACKUP_DIR)
    return [name for name, folder in remains() if folder.name.endswith(REMOVING) and not (root / name).exists()]


def remains_remove(folder: Path) -> None:
    """Remove a folder that `remains` found, its manifest last."""
    _emptied(folder)


def _emptied(folder: Path) -> None:
    for entry in folder.iterdir():
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        elif entry.name != MANIFEST:
            entry.unlink()
    shutil.rmtree(folder)


def _fsync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
