"""What a folder of the old system's backups holds, and what its card says: where it points to is never followed."""

from collections.abc import Collection, Iterator
from functools import cached_property
from pathlib import PurePosixPath
from typing import Any

from backups_app.legacy.files import FoundFile, Unreadable, read_whole
from backups_app.legacy.json_exact import BadJSON, parse_json
from backups_app.legacy.sqlite_files import DATABASE_ENDINGS, is_sidecar
from backups_app.legacy.types import Finding, Level, Place

BACKUPS = "backups"
INFO = "backup_info.json"
INFO_BYTES = 64 * 1024
INFO_DEPTH = 10


class BackupFolder:
    """One backup: its databases (one, as the old system made it) and its card."""

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self.databases: list[FoundFile] = []
        self._card: FoundFile | None = None
        self._strays: list[FoundFile] = []

    def add(self, file: FoundFile) -> None:
        """Take a file of the folder on."""
        if file.path.name == INFO:
            self._card = file
        elif file.name.lower().endswith(DATABASE_ENDINGS):
            self.databases.append(file)
        elif not is_sidecar(file):
            self._strays.append(file)

    @cached_property
    def _says(self) -> dict[str, Any]:
        """What the card says; nothing where there is none, or where it cannot be read."""
        try:
            data = read_whole(self._card.path, INFO_BYTES) if self._card else b"{}"
            value = parse_json(data, INFO_DEPTH).values[0]
        except (Unreadable, BadJSON):
            return {}
        return value if type(value) is dict else {}

    @property
    def created_at(self) -> str:
        """When the backup was made, as its card says it."""
        return str(self._says.get("created_at") or "")

    def told(self, *, is_read: bool, vectors: Collection[str]) -> Iterator[Finding]:
        """What is to be said of the backup; `vectors` are the folders of vector stores that are there."""
        of = f"a backup of {self.created_at:.40}" if self.created_at else "a backup"
        if not self.databases:
            level = Level.REJECTED if is_read else Level.SKIPPED
            yield self._finding(level, "backup_without_database", f"{of} without a database beside its card")
        elif not is_read:
            yield self._finding(Level.SKIPPED, "backup", f"{of}: import this folder by itself to bring it in too")
        for code, detail in self._oddities(vectors):
            yield self._finding(Level.NOTE, code, detail)
        for file in self._strays:
            yield Finding(Level.SKIPPED, "stray_file", Place(file.name), "not a file of the store", "file")

    def _oddities(self, vectors: Collection[str]) -> Iterator[tuple[str, str]]:
        if self._card is None:
            yield "backup_without_card", f"there is no {INFO}"
        elif not self._says:
            yield "bad_card", f"{INFO} cannot be read"
        name, path, chroma = (self._says.get(key) for key in ("backup_name", "db_path", "chroma_path"))
        if name is not None and name != PurePosixPath(self.folder).name:
            yield "backup_name", f"the card calls it {name!r:.100}; the name of the folder counts"
        if path is not None and self.databases and path != PurePosixPath(self.databases[0].name).name:
            yield "db_path", f"the card names the database {path!r:.200}; the one beside the card counts"
        if chroma is not None and not any(folder.startswith(f"{self.folder}/") for folder in vectors):
            yield "vector_store_missing", f"the card names a vector store {chroma!r:.200}, which is not beside it"

    def _finding(self, level: Level, code: str, detail: str) -> Finding:
        return Finding(level, code, Place(self.folder), detail, "file")
