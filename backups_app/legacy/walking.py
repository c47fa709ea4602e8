"""Walks a folder that holds several stores: recognises each of them, and reads them one after the other as one."""

from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any, NamedTuple

from msgspec.structs import replace

from backups_app.legacy.files import is_file, is_folder
from backups_app.legacy.formats import FORMATS, detect
from backups_app.legacy.types import Finding, LegacyItem, Level, Place, Reading, StoreBegins

# A folder that is one store by itself, whatever its parts look like: its files have fixed names.
STRUCTURED = frozenset({"history_store", "history_backups"})
# Files of these are looked at with their folder, never alone.
OF_A_FOLDER = frozenset({".json", ".jsonl"})
DEEPEST = 8


class Part(NamedTuple):
    """One store within a folder: where it lies, and what it is; None where it is nothing that is known."""

    path: Path
    source_format: str | None


def parts_of(root: Path, depth: int = DEEPEST) -> list[Part]:
    """The stores that lie in a folder, in the order of their names; one alone where the folder is a store itself.

    A folder that looks like a store is one, unless stores of other kinds lie in it: then it holds them.
    """
    own = detect(root)
    if root.is_file() or own in STRUCTURED or depth == 0:
        return [Part(root, own)]
    inside = [part for child in _children(root) for part in parts_of(child, depth - 1)]
    kinds = {part.source_format for part in inside} - {None}
    if own is not None and kinds <= {own}:
        return [Part(root, own)]
    return inside if kinds else [Part(root, None)]


def _children(folder: Path) -> list[Path]:
    try:
        found = sorted(child for child in folder.iterdir() if not child.is_symlink())
    except OSError:
        return []
    return [child for child in found if is_folder(child) or (is_file(child) and child.suffix not in OF_A_FOLDER)]


class SeveralStores:
    """Stores that are read as one. What they yield and report has its place in the folder above them."""

    def __init__(self, root: Path, parts: list[Part], reading: Reading) -> None:
        """Open each; what is no store is told as skipped."""
        self._unknown = [part for part in parts if part.source_format is None]
        self._root, self._reading = root, reading
        self._stores: list[tuple[str, Any]] = []
        for part in parts:
            if part.source_format is not None:
                prefix = part.path.relative_to(root).as_posix()
                inner = replace(reading, report=_within(prefix, reading.report))
                self._stores.append((prefix, FORMATS[part.source_format].open(part.path, inner)))

    @property
    def bytes(self) -> int:
        """How much there is, as far as each store knows."""
        return sum(store.bytes for _prefix, store in self._stores)

    @property
    def bytes_read(self) -> int:
        """How much of it was read."""
        return sum(store.bytes_read for _prefix, store in self._stores)

    def items(self) -> Generator[LegacyItem | StoreBegins, None, None]:
        """Everything, store by store."""
        for part in self._unknown:
            place = Place(part.path.relative_to(self._root).as_posix())
            self._reading.report(Finding(Level.SKIPPED, "no_store", place, "no known store lies here", "file"))
        for prefix, store in self._stores:
            yield StoreBegins(Place(prefix))
            for item in store.items():
                item.place = item.place.within(prefix)
                yield item


def _within(prefix: str, report: Callable[[Finding], None]) -> Callable[[Finding], None]:
    def told(finding: Finding) -> None:
        finding.place = finding.place.within(prefix)
        report(finding)

    return told
