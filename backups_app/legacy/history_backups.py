"""Reads backups that the system of document 000 made of its store: one, or a folder of several, the newest first."""

import os
import re
from collections.abc import Callable, Generator
from datetime import datetime
from pathlib import Path
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from backups_app.legacy.files import FoundFile, Unreadable, is_file, is_folder, read_whole, shown, walk
from backups_app.legacy.history_store.store import HistoryStore
from backups_app.legacy.history_store.survey import METADATA, looks_like_history_store
from backups_app.legacy.json_exact import BadJSON, parse_json
from backups_app.legacy.times import EPOCH, time_read
from backups_app.legacy.types import (
    Finding,
    LegacyConfig,
    LegacyItem,
    LegacySession,
    LegacyWorkflow,
    Level,
    Limits,
    Place,
    Reading,
)

ABOUT = "metadata.json"
ABOVE = "backups"
_ABOUT_BYTES = 1024 * 1024
_KEPT = ("sessions", "history")
_TIME_IN_NAME = re.compile(r"(\d{4})(\d{2})(\d{2})_(\d{2})(\d{2})(\d{2})", re.ASCII)


class Backup(Struct, frozen=True):
    """One backup: its folder, what it is called in places, when it was made as far as is known, and how large it is."""

    path: Path
    name: str
    made_at: datetime | None
    size: int
    is_described: bool


def looks_like_history_backups(root: Path) -> bool:
    """Whether the folder is a backup of document 000, by what it says of itself, or has one in it."""
    if not is_folder(root):
        return False
    if _is_described(root):
        return True
    return not looks_like_history_store(root) and any(_is_described(folder) for folder in _folders(_above(root)))


def _is_described(folder: Path) -> bool:
    about = _about(folder)
    return about is not None and about.keys() >= {"backup_name", "created_at"} and _holds_something(folder)


def _holds_something(folder: Path) -> bool:
    return is_file(folder / METADATA) or any(is_folder(folder / room) for room in _KEPT)


def _about(folder: Path) -> dict[str, Any] | None:
    """What a backup says of itself; None where it says nothing that can be read."""
    try:
        (value,) = parse_json(read_whole(folder / ABOUT, _ABOUT_BYTES), Limits().depth).values
    except (Unreadable, BadJSON, ValueError):
        return None
    return value if type(value) is dict else None


def _above(root: Path) -> Path:
    """The folder whose folders are backups."""
    return root / ABOVE if is_folder(root / ABOVE) else root


def _folders(root: Path) -> list[Path]:
    """The folders in a folder by name; no links. None in one that cannot be read."""
    try:
        with os.scandir(root) as entries:
            return sorted(Path(entry.path) for entry in entries if entry.is_dir(follow_symlinks=False))
    except OSError:
        return []


class HistoryBackups:
    """The backups, to be read once. Of what stands in several the newest counts."""

    def __init__(self, root: Path, reading: Reading) -> None:
        """List the backups; nothing but what they say of themselves is opened yet."""
        self.reading = reading
        self._root = root
        self._seen: set[tuple[str, str]] = set()
        folders = [root] if _is_described(root) else _folders(_above(root))
        backups = [
            self._backup(folder) for folder in folders if _is_described(folder) or looks_like_history_store(folder)
        ]
        self._backups = sorted(backups, key=lambda backup: (backup.made_at or EPOCH, backup.name), reverse=True)
        self.bytes = sum(backup.size for backup in backups)
        self.bytes_read = 0

    def items(self) -> Generator[LegacyItem, None, None]:
        """Everything, backup by backup; a session or setting that a newer one holds is counted and left out."""
        self._tell_others()
        for backup in self._backups:
            before = self.bytes_read
            store = HistoryStore(backup.path, replace(self.reading, report=self._teller(backup)))
            older = 0
            for item in store.items():
                self.bytes_read = before + min(store.bytes_read, backup.size)
                if self._is_older(item):
                    older += 1
                    continue
                item.place = _within(backup, item.place)
                yield item
            self._tell_about(backup, older)
            self.bytes_read = before + backup.size

    def _backup(self, folder: Path) -> Backup:
        about = _about(folder) or {}
        made_at = time_read(about.get("created_at"), self.reading.zone)
        size = sum(entry.size for entry in walk(folder) if isinstance(entry, FoundFile))
        name = "" if folder == self._root else f"{shown(folder, self._root)}/"
        return Backup(folder, name, made_at or self._time_of(folder.name), size, bool(about))

    def _time_of(self, name: str) -> datetime | None:
        """When a backup was made as its name says, such as `backup_20250301_030000`."""
        found = _TIME_IN_NAME.search(name)
        if found is None:
            return None
        return time_read("{}-{}-{}T{}:{}:{}".format(*found.groups()), self.reading.zone)

    def _is_older(self, item: LegacyItem) -> bool:
        """Whether a newer backup told of it. What has happened is told again, and known by its id."""
        if isinstance(item, LegacySession):
            key = ("session", item.session_id)
        elif isinstance(item, LegacyConfig | LegacyWorkflow):
            key = (type(item).__name__, item.key if isinstance(item, LegacyConfig) else item.name)
        else:
            return False
        if key in self._seen:
            return True
        self._seen.add(key)
        return False

    def _teller(self, backup: Backup) -> Callable[[Finding], None]:
        def tell(finding: Finding) -> None:
            if finding.place.path != ABOUT:
                finding.place = _within(backup, finding.place)
                self.reading.report(finding)

        return tell

    def _tell_about(self, backup: Backup, older: int) -> None:
        if older:
            detail = f"{older} sessions and settings stand in a newer backup too, which counts"
            self._tell(Level.NOTE, "older_version", backup.name or ABOUT, detail)
        if not backup.is_described:
            detail = f"without a readable {ABOUT}, which is written last: what is whole of the backup was read"
            self._tell(Level.NOTE, "unfinished_backup", backup.name, detail)

    def _tell_others(self) -> None:
        """Name what lies beside the backups."""
        names = tuple(backup.name for backup in self._backups)
        for entry in walk(self._root) if "" not in names else ():
            if not entry.name.startswith(names):
                self._tell(Level.SKIPPED, "stray_file", entry.name, "in no backup")

    def _tell(self, level: Level, code: str, path: str, detail: str) -> None:
        self.reading.report(Finding(level, code, Place(path), detail, "file"))


def _within(backup: Backup, place: Place) -> Place:
    return replace(place, path=f"{backup.name}{place.path}")
