"""Writing an archive: lines are packed, sealed and stored part by part; the manifest comes last."""

import hashlib
import os
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Any

import zstandard

from backups_app.archive.manifest import (
    MANIFEST,
    MAX_PART_BYTES,
    PART_BYTES,
    PLAIN_ENDING,
    SEALED_ENDING,
    SIGNATURE,
    TABLES,
    Column,
    Manifest,
    Part,
    Table,
    manifest_bytes,
    manifest_sha256,
)
from backups_app.archive.packing import PACK_LEVEL, unpacked_check
from backups_app.archive.refusals import ArchiveRefused
from backups_app.archive.rows import Row, checksum_added, checksum_of, checksum_text, lines_made
from backups_app.archive.sealing import sealed
from backups_app.archive.signatures import signature_made

# Parts that are being sealed and stored while the next rows are read: more would only take memory.
_AT_WORK = 1
_SYNCS_AT_ONCE = 16


class ArchiveWriter:
    """Writes an archive into a new folder (mode 0700). Nothing counts before `finish` has returned.

    With `unpacks` each part is unpacked and compared before it is sealed: for those that nobody can open afterwards.
    """

    def __init__(
        self, folder: Path, *, recipients: Sequence[Any] = (), threads: int | None = None, unpacks: bool = True
    ) -> None:
        self.folder, self._recipients, self._unpacks = folder, recipients, unpacks
        self._threads = threads if threads is not None else min(4, os.cpu_count() or 1)
        self._storing = ThreadPoolExecutor(1, thread_name_prefix="archive")
        folder.mkdir(mode=0o700)
        (folder / TABLES).mkdir(mode=0o700)
        self.tables: list[Table] = []

    def __enter__(self) -> "ArchiveWriter":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._storing.shutdown(wait=True, cancel_futures=True)

    def table(self, label: str, columns: Sequence[Column], primary_key: str) -> "TableWriter":
        """Begin a table; its rows are added and `end` is called before the next one begins."""
        (self.folder / TABLES / label).mkdir(mode=0o700)
        return TableWriter(self, label, columns, primary_key)

    def finish(self, manifest: Manifest, signing_key: str) -> str:
        """Write manifest and signature, and bring everything to the disk. Returns the manifest's SHA-256."""
        data = manifest_bytes(manifest)
        stored(self.folder / MANIFEST, data)
        stored(self.folder / SIGNATURE, signature_made(data, signing_key))
        # At the same time: the disk brings them in together, where one after the other would wait for it each time.
        with ThreadPoolExecutor(_SYNCS_AT_ONCE, thread_name_prefix="sync") as syncing:
            list(syncing.map(disk_sync, (*self.folder.rglob("*"), self.folder)))
        return manifest_sha256(data)

    def packer(self) -> Any:
        """Return a fresh compressor that works in threads of its own."""
        threads = self._threads if self._threads > 1 else 0
        return zstandard.ZstdCompressor(level=PACK_LEVEL, threads=threads, write_checksum=True).compressobj()

    def store(self, name: str, packed: bytes, rows: int, size: int, sha: str) -> "Future[Part]":
        """Seal and store a part behind the caller's back."""
        return self._storing.submit(self._store, name, packed, rows, size, sha)

    def _store(self, name: str, packed: bytes, rows: int, size: int, sha: str) -> Part:
        if self._unpacks:
            unpacked_check(name, packed, size, sha)
        kept = sealed(packed, self._recipients) if self._recipients else packed
        stored(self.folder / name, kept)
        return Part(name, rows, size, sha, len(kept), hashlib.sha256(kept).hexdigest())

    @property
    def ending(self) -> str:
        """What the names of files end with."""
        return SEALED_ENDING if self._recipients else PLAIN_ENDING


class TableWriter:
    """Takes the rows of one table, and cuts them into parts."""

    def __init__(self, archive: ArchiveWriter, label: str, columns: Sequence[Column], primary_key: str) -> None:
        self._archive, self._label, self._columns, self._primary_key = archive, label, list(columns), primary_key
        self._key = [column.name for column in columns].index(primary_key)
        self._parts: list[Part] = []
        self._at_work: deque[Future[Part]] = deque()
        self._numbers = 0
        self.rows, self._checksum = 0, 0
        self._least: Any = None
        self._greatest: Any = None
        self._begin()

    def _begin(self) -> None:
        self._packer = self._archive.packer()
        self._packed: list[bytes] = []
        self._digest, self._size, self._part_rows = hashlib.sha256(), 0, 0

    def add(self, rows: Sequence[Row]) -> None:
        """Add canonical rows, at most a few megabytes of them."""
        if not rows:
            return
        lines = lines_made(rows)
        if len(rows) > 1 and self._size + len(lines) > MAX_PART_BYTES:
            self._add_halves(rows)
            return
        if self._part_rows and self._size + len(lines) > MAX_PART_BYTES:
            self._end_part()
        self._checksum = checksum_added(self._checksum, checksum_of(lines))
        keys = [row[self._key] for row in rows]
        self._least = min(keys) if self._least is None else min(self._least, *keys)
        self._greatest = max(keys) if self._greatest is None else max(self._greatest, *keys)
        self._digest.update(lines)
        self._packed.append(self._packer.compress(lines))
        self._size += len(lines)
        self._part_rows += len(rows)
        if self._size >= PART_BYTES:
            self._end_part()

    def _add_halves(self, rows: Sequence[Row]) -> None:
        half = len(rows) // 2
        self.add(rows[:half])
        self.add(rows[half:])

    def _end_part(self) -> None:
        self._packed.append(self._packer.flush())
        packed, self._packed = b"".join(self._packed), []
        self._numbers += 1
        name = f"{TABLES}/{self._label}/{self._numbers:03d}{self._archive.ending}"
        while len(self._at_work) >= _AT_WORK:
            self._parts.append(self._at_work.popleft().result())
        self._at_work.append(self._archive.store(name, packed, self._part_rows, self._size, self._digest.hexdigest()))
        self.rows += self._part_rows
        self._begin()

    def end(self) -> Table:
        """Store what is left and return what the manifest says of the table. Raises OSError when the disk refuses."""
        if self._part_rows:
            self._end_part()
        while self._at_work:
            self._parts.append(self._at_work.popleft().result())
        table = Table(
            label=self._label,
            columns=self._columns,
            primary_key=self._primary_key,
            rows=self.rows,
            min_pk=self._least,
            max_pk=self._greatest,
            checksum=checksum_text(self._checksum),
            files=self._parts,
        )
        self._archive.tables.append(table)
        return table


def stored(path: Path, data: bytes) -> None:
    """Write a new file (mode 0600). Raises OSError; ArchiveRefused when there is one."""
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError as error:
        raise ArchiveRefused(path.name, "there is such a file already") from error
    with os.fdopen(handle, "wb") as file:
        file.write(data)


def disk_sync(path: Path) -> None:
    """Bring a file, or the names in a folder, to the disk. Raises OSError."""
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
