"""Documents as files: one JSON file each, whole or not there, and transactions that a kill leaves whole."""

import fcntl
import hashlib
import heapq
import json
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from uuid import uuid4

from config.shared.errors import Unavailable
from config.shared.fields import dump_json
from sessions_app.services.documents.stored import Decide, Place, StoredDocument

PATIENCE_SECONDS = 10.0
LONGEST_NAME = 180
JOURNAL, LOCK, UNFINISHED = ".journal", ".lock", ".new-"
_KEPT = re.compile(r"[a-z0-9_\-]")
_ENCODED = re.compile("%([0-9a-f]{2})")

# Contents by path relative to the project's folder; None removes the file.
Contents = dict[str, str | None]


def file_name(text: str) -> str:
    """Return a name that is safe on every file system, and different for every text, also where case does not count.

    Long texts are cut, with a digest in the end; the file itself holds the key.
    """
    name = "".join(each if _KEPT.fullmatch(each) else _percent(each) for each in text)
    if len(name) > LONGEST_NAME:
        return f"{name[:100]}~{hashlib.sha256(text.encode()).hexdigest()}"
    return name


def _percent(character: str) -> str:
    return "".join(f"%{byte:02x}" for byte in character.encode())


class FileDocuments:
    """A folder a project, a folder a namespace in it, and one lock a project: for thousands of documents, not millions.

    A transaction of several files is first written whole to a journal, whose renaming is the commit; whoever comes next
    brings in a journal that was left behind.
    """

    def __init__(self, root: Path | str) -> None:
        self._root = Path(root)

    def find(self, project_id: int, place: Place) -> StoredDocument | None:
        """Return the document of a place."""
        with self._locked(project_id, exclusive=False) as folder:
            return _read(folder / _path(place))

    def change(self, project_id: int, places: list[Place], decide: Decide) -> None:
        """Decide under the project's lock, and write."""
        with self._locked(project_id, exclusive=True) as folder:
            found = {place: _read(folder / _path(place)) for place in places}
            decided = decide(dict(found))
            contents: Contents = {
                _path(place): None if document is None else dump_json(document.told())
                for place, document in decided.items()
                if document != found[place]
            }
            _commit(folder, contents)

    def page(
        self, project_id: int, namespace: str, prefix: str, *, after: str, limit: int, now: datetime
    ) -> list[StoredDocument]:
        """Return living documents by key."""
        found: list[StoredDocument] = []
        with self._locked(project_id, exclusive=False) as folder:
            while len(found) < limit:
                keys = (key for key in _keys(folder, namespace) if key.startswith(prefix) and key > after)
                some = heapq.nsmallest(limit, keys)
                documents = (_read(folder / _path((namespace, key))) for key in some)
                alive = [each for each in documents if each is not None and each.is_alive(now)]
                found.extend(alive[: limit - len(found)])
                if len(some) < limit:
                    break
                after = some[-1]
        return found

    def count(self, project_id: int, namespace: str, prefix: str, now: datetime) -> int:
        """Count living documents, which reads them."""
        with self._locked(project_id, exclusive=False) as folder:
            keys = (key for key in _keys(folder, namespace) if key.startswith(prefix))
            documents = (_read(folder / _path((namespace, key))) for key in keys)
            return sum(each is not None and each.is_alive(now) for each in documents)

    def prune(self, now: datetime, limit: int) -> int:
        """Remove files whose time has run out; reads all of them."""
        removed = 0
        for project in sorted(self._root.glob("[0-9]*")):
            with self._locked(int(project.name), exclusive=True) as folder:
                for path in folder.glob("n_*/k_*.json"):
                    document = _read(path)
                    if removed < limit and document is not None and not document.is_alive(now):
                        path.unlink()
                        removed += 1
        return removed

    @contextmanager
    def _locked(self, project_id: int, *, exclusive: bool) -> Iterator[Path]:
        """Hold the project's lock, with no journal left behind. Raises Unavailable when disk or lock refuse."""
        folder = self._root / str(project_id)
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            with (folder / LOCK).open("a") as lock:
                _take(lock.fileno(), exclusive=exclusive)
                if (folder / JOURNAL).exists():
                    _take(lock.fileno(), exclusive=True)
                    _recover(folder)
                yield folder
        except OSError as error:
            raise Unavailable(f"The folder of documents can't be used: {error.strerror}.") from error


def _take(lock: int, *, exclusive: bool) -> None:
    wanted = fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH
    until = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            fcntl.flock(lock, wanted | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() > until:
                raise
            time.sleep(0.005)


def _path(place: Place) -> str:
    return f"n_{file_name(place[0])}/k_{file_name(place[1])}.json"


def _read(path: Path) -> StoredDocument | None:
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    return StoredDocument.read(json.loads(text))


def _keys(folder: Path, namespace: str) -> Iterator[str]:
    inside = folder / f"n_{file_name(namespace)}"
    if not inside.is_dir():
        return
    with os.scandir(inside) as entries:
        for entry in entries:
            name = entry.name.removeprefix("k_").removesuffix(".json")
            if len(name) != len(entry.name) - len("k_.json"):
                continue
            if "~" in name:
                document = _read(Path(entry.path))
                if document is not None:
                    yield document.key
            else:
                # Character by character what file_name wrote, so that no text can be misread.
                yield bytes.fromhex("".join(_hex(part) for part in re.split("(%[0-9a-f]{2})", name))).decode()


def _hex(part: str) -> str:
    found = _ENCODED.fullmatch(part)
    return found[1] if found else part.encode().hex()


def _commit(folder: Path, contents: Contents) -> None:
    """Write the contents: one file by renaming it, several by a journal, whose renaming is the moment of the commit."""
    if len(contents) > 1:
        _put(folder / JOURNAL, json.dumps(contents))
    _apply(folder, contents)
    if len(contents) > 1:
        (folder / JOURNAL).unlink()


def _recover(folder: Path) -> None:
    """Finish a transaction that was committed and cut short."""
    journal = folder / JOURNAL
    if journal.exists():
        _apply(folder, json.loads(journal.read_text(encoding="utf-8")))
        journal.unlink()
    for unfinished in folder.rglob(f"{UNFINISHED}*"):
        unfinished.unlink(missing_ok=True)


def _apply(folder: Path, contents: Contents) -> None:
    for name, text in contents.items():
        path = folder / name
        if text is None:
            path.unlink(missing_ok=True)
        else:
            path.parent.mkdir(mode=0o700, exist_ok=True)
            _put(path, text)


def _put(path: Path, text: str) -> None:
    """Make the file hold the text, or leave it as it was: written beside it, flushed to the disk, and renamed."""
    unfinished = path.with_name(f"{UNFINISHED}{uuid4().hex}")
    with unfinished.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
