"""Looks through the folder of a store: its databases, their backups, and vector stores, which are only named."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path, PurePosixPath

from backups_app.legacy.agent_flow.backups import BACKUPS, INFO, BackupFolder
from backups_app.legacy.files import FoundFile, NotFollowed, Unreadable, files_at, is_file, open_plain
from backups_app.legacy.sqlite_files import DATABASE_ENDINGS, is_sidecar
from backups_app.legacy.types import Finding, Level, Place

DATABASE = "agent_flow.db"
VECTORS = "chroma_db"
LOOKED_AT = 200
LOOKED_INTO = 1024 * 1024
_HEADER = b"SQLite format 3\x00"
_SIGNS = (b"task_history", b"tool_logs")


@dataclass(slots=True)
class Survey:
    """The databases that are read, in this order, and what is told of everything else."""

    databases: list[FoundFile] = field(default_factory=list)
    told: list[Finding] = field(default_factory=list)


def looks_like_agent_flow(root: Path) -> bool:
    """Whether one of the first files has a name of the store's, or is a database that speaks of its tables."""
    found = (entry for entry in islice(files_at(root), LOOKED_AT) if isinstance(entry, FoundFile))
    return any(file.path.name in (DATABASE, INFO) or _speaks_of_tasks(file) for file in found)


def _speaks_of_tasks(file: FoundFile) -> bool:
    if not file.name.lower().endswith(DATABASE_ENDINGS):
        return False
    try:
        with open_plain(file.path) as opened:
            begun = opened.read(LOOKED_INTO)
    except Unreadable:
        return False
    return begun.startswith(_HEADER) and all(sign in begun for sign in _SIGNS)


def survey(root: Path) -> Survey:
    """Sort all files. Backups are read where the path holds nothing but backups; else they are only told."""
    found, live = Survey(), []
    backups: dict[str, BackupFolder] = {}
    vectors: dict[str, list[int]] = {}
    for entry in files_at(root):
        inside = PurePosixPath(entry.name)
        if isinstance(entry, NotFollowed):
            found.told.append(_skipped(entry.name, "not_followed", entry.why))
        elif VECTORS in inside.parts[:-1]:
            folder = "/".join(inside.parts[: inside.parts.index(VECTORS) + 1])
            vectors.setdefault(folder, []).append(entry.size)
        elif _is_of_backup(entry, inside, root):
            backups.setdefault(str(inside.parent), BackupFolder(str(inside.parent))).add(entry)
        elif entry.name.lower().endswith(DATABASE_ENDINGS):
            live.append(entry)
        elif not is_sidecar(entry) and inside.name != INFO:
            found.told.append(_skipped(entry.name, "stray_file", "not a file of the store"))
    found.databases = live or [file for backup in _newest_first(backups) for file in backup.databases]
    for backup in _newest_first(backups):
        found.told += backup.told(is_read=not live, vectors=vectors.keys())
    found.told += [_vectors_told(folder, sizes) for folder, sizes in vectors.items()]
    return found


def _is_of_backup(file: FoundFile, inside: PurePosixPath, root: Path) -> bool:
    """Whether a file lies in a folder of backups, or beside the card of one; the path itself is no backup."""
    if len(inside.parts) == 1:
        return False
    is_below = BACKUPS in inside.parts[:-1] or root.name == BACKUPS
    return is_below or is_file(file.path.with_name(INFO))


def _newest_first(backups: dict[str, BackupFolder]) -> Iterator[BackupFolder]:
    yield from sorted(backups.values(), key=lambda backup: (backup.created_at, backup.folder), reverse=True)


def _vectors_told(folder: str, sizes: list[int]) -> Finding:
    what = f"a vector store of {len(sizes)} files and {sum(sizes)} bytes"
    return _skipped(
        folder, "vector_store", f"{what}: it is not read; keep the folder, or fill a new one from its sources"
    )


def _skipped(path: str, code: str, detail: str) -> Finding:
    return Finding(Level.SKIPPED, code, Place(path), detail, "file")
