"""Finds out what each file of a key-value store is, and reads its keys."""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path, PurePosixPath

from backups_app.legacy.blueplan.dumps import line_entries, looks_like_rdb, rdb_entries
from backups_app.legacy.blueplan.entries import KINDS, BadValue, Entry, value_of
from backups_app.legacy.blueplan.old_backups import PACKED_ENDING, backup_entries, is_backup
from backups_app.legacy.files import (
    READ_TO_LOOK,
    FoundFile,
    Line,
    Unreadable,
    beginning,
    files_at,
    has,
    lines_of,
    read_whole,
)
from backups_app.legacy.types import Finding, Level, Limits, Place, Reading

ENDING = ".json"
LINE_ENDINGS = (".ndjson", ".ndjson.gz")
RDB_ENDING = ".rdb"
BACKUPS = "backups"
DATA = "data"
# Folders that no other store has, by which one of this kind is recognised.
_CERTAIN = frozenset(KINDS) - {"session", "config"}
_LOOKED_AT = 50


def looks_like_blueplan(root: Path) -> bool:
    """Whether the path is one of the store's dumps or backups, or a folder with its categories or dumps."""
    if root.is_file():
        return _is_dump(FoundFile(root, root.name, root.stat().st_size))
    bases = (root, root / DATA)
    if any(has(base / category, f"*{ENDING}") for base in bases for category in _CERTAIN):
        return True
    entries = (entry for entry in islice(files_at(root), _LOOKED_AT) if isinstance(entry, FoundFile))
    return any(_is_dump(entry) for entry in entries if "/" not in entry.name or BACKUPS in entry.path.parts[-2:])


def _is_dump(file: FoundFile) -> bool:
    if file.name.endswith(RDB_ENDING):
        return looks_like_rdb(file)
    limits = Limits()
    with suppress(Unreadable, BadValue):
        if file.name.endswith(LINE_ENDINGS):
            lines = lines_of(file.path, line_bytes=READ_TO_LOOK, unpack_ratio=limits.unpack_ratio)
            first = next(lines, Line(1, b""))
            if first.too_long:
                return first.data.startswith(b'{"key"')
            told, _repairs = value_of(first.data, limits.depth)
            return type(told) is dict and told.keys() >= {"key", "value"}
        if file.name.endswith(ENDING):
            if file.size > READ_TO_LOOK and b'"backup_name"' not in beginning(file.path):
                return False
            return is_backup(value_of(read_whole(file.path, limits.document_bytes), limits.depth)[0])
    return False


def file_entries(file: FoundFile, reading: Reading) -> Iterator[Entry]:
    """The keys in one file of the store, whatever it is; one that is none is named."""
    parts = PurePosixPath(file.name).parts
    if file.name.endswith(RDB_ENDING):
        yield from rdb_entries(file, reading)
    elif file.name.endswith(LINE_ENDINGS):
        yield from line_entries(file, reading)
    elif _is_in_backups(file):
        yield from backup_entries(file, reading)
    elif len(_inside(parts)) > 1:
        yield from _of_file(file, reading)
    elif len(parts) == 1 and file.name.endswith(ENDING) and _is_dump(file):
        yield from backup_entries(file, reading)
    else:
        skip(file.name, "stray_file", "not a file of the store", reading)


def _of_file(file: FoundFile, reading: Reading) -> Iterator[Entry]:
    category, *inner = _inside(PurePosixPath(file.name).parts)
    name = "/".join(inner)
    if category not in KINDS or len(inner) != 1 or not name.endswith(ENDING) or name == ENDING:
        skip(file.name, "stray_file", "not a file of the store", reading)
        return
    try:
        data = read_whole(file.path, reading.limits.document_bytes)
    except Unreadable as error:
        reading.report(Finding(Level.REJECTED, "unreadable", Place(file.name), str(error), KINDS[category]))
        return
    yield Entry(f"{category}:{name.removesuffix(ENDING)}", data, Place(file.name))


def skip(name: str, code: str, why: str, reading: Reading) -> None:
    """Name a file that is left alone."""
    reading.report(Finding(Level.SKIPPED, code, Place(name), why, "file"))


def _inside(parts: Iterable[str]) -> tuple[str, ...]:
    """The parts of a path below the folder `data`, where there is one."""
    found = tuple(parts)
    return found[1:] if found and found[0] == DATA else found


def _is_in_backups(file: FoundFile) -> bool:
    inner = _inside(PurePosixPath(file.name).parts)
    return inner[:-1] == (BACKUPS,) and inner[-1].endswith((ENDING, PACKED_ENDING))


def rank(file: FoundFile) -> tuple[int, str]:
    """What comes first onto the shelf: the files, then dumps, then backups."""
    if file.name.endswith((*LINE_ENDINGS, RDB_ENDING)):
        return 1, file.name
    return (2 if _is_in_backups(file) or "/" not in file.name else 0), file.name
