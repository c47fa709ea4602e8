"""Looks through the folder of a store and sorts its files by what they are; others are named and left alone."""

from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from backups_app.legacy.files import FoundFile, NotFollowed, has, is_file, walk
from backups_app.legacy.sqlite_files import DATABASE_ENDINGS, is_sidecar
from backups_app.legacy.types import Finding, Level, Place

HISTORY_ENDINGS = (".jsonl", ".jsonl.gz")
INDEX = "index.json"
METADATA = "metadata.db"
ROOMS = ("sessions", "history", "configs", "databases")


@dataclass(slots=True)
class Survey:
    """The files of a store by what they are. Configurations come with their path below `configs/`."""

    sessions: list[FoundFile] = field(default_factory=list)
    history: dict[str, list[FoundFile]] = field(default_factory=dict)
    configs: list[tuple[FoundFile, str]] = field(default_factory=list)
    databases: list[FoundFile] = field(default_factory=list)
    skipped: list[Finding] = field(default_factory=list)

    @property
    def bytes(self) -> int:
        """The size of all files that will be read."""
        groups = [self.sessions, self.databases, [file for file, _ in self.configs], *self.history.values()]
        return sum(file.size for group in groups for file in group)


def looks_like_history_store(root: Path) -> bool:
    """Whether the folder is a store of document 000: it has session files, monthly history, or `metadata.db`."""
    for base in (root, root / "data"):
        sessions, history = base / "sessions", base / "history"
        named = (sessions / INDEX, sessions / METADATA, base / METADATA)
        if any(is_file(path) for path in named) or has(sessions, "*.json"):
            return True
        if has(history, "*/*.jsonl") or has(history, "*/*.jsonl.gz"):
            return True
    return False


def survey(root: Path) -> Survey:
    """Sort all files below `root`. Nothing is opened; links, pipes and stray files become findings."""
    found = Survey()
    for entry in walk(root):
        if isinstance(entry, NotFollowed):
            found.skipped.append(_skip(entry.name, "not_followed", entry.why))
        else:
            _sort(entry, root, found)
    return found


def history_stem(name: str) -> str:
    """The session id that a history file's name says."""
    return PurePosixPath(name).name.removesuffix(".gz").removesuffix(".jsonl")


def _sort(file: FoundFile, root: Path, found: Survey) -> None:
    parts = PurePosixPath(file.name).parts
    parts = parts[1:] if parts[0] == "data" and len(parts) > 1 else parts
    room = parts[0] if len(parts) > 1 else ""
    name = parts[-1]
    if room == "sessions" and name.endswith(".json") and name != INDEX:
        found.sessions.append(file)
    elif room == "history" and name.endswith(HISTORY_ENDINGS) and not name.startswith("."):
        found.history.setdefault(history_stem(name), []).append(file)
    elif room == "configs" and name.endswith((".yaml", ".yml")):
        found.configs.append((file, "/".join(parts[1:])))
    elif room in ("", "sessions", "databases") and name.endswith(DATABASE_ENDINGS):
        found.databases.append(file)
    elif not is_sidecar(file):
        found.skipped.append(_skip(file.name, *_why(room, name)))


def _why(room: str, name: str) -> tuple[str, str]:
    if room == "sessions" and name == INDEX:
        return "index", "an index is no session; its paths are not followed, its totals are counted anew"
    return "stray_file", "not a file of the store" if room in ROOMS else "outside the folders of the store"


def _skip(name: str, code: str, why: str) -> Finding:
    return Finding(Level.SKIPPED, code, Place(name), why, "file")
