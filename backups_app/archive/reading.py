"""Reading an archive: who signed it, what lies in its folder, then each file, checked before its rows are read."""

import errno
import hashlib
import os
import stat
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from backups_app.archive.manifest import (
    MANIFEST,
    MAX_FILES,
    MAX_MANIFEST_BYTES,
    MAX_SIGNATURE_BYTES,
    SIGNATURE,
    TABLES,
    Manifest,
    Part,
    Table,
    manifest_read,
    manifest_sha256,
)
from backups_app.archive.packing import unpacked, unpacked_check
from backups_app.archive.refusals import ArchiveRefused
from backups_app.archive.rows import LineReader, RowRefused, checksum_added, checksum_of, checksum_text
from backups_app.archive.sealing import opened
from backups_app.archive.signatures import signature_check

Tick = Callable[[int], None]
# What these say lies in the archive itself. Anything else (no permission, a disk that fails, too many open files) says
# nothing of it: it stays an OSError, and nobody calls a good archive damaged for it.
_IN_THE_ARCHIVE = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENXIO})
# Folders: tables, and one a table. More entries than files and folders can be are not even listed.
_MAX_ENTRIES = MAX_FILES + 10_000


def archive_open(
    folder: Path, *, trusted: Sequence[str], identities: Sequence[Any] = (), name: str | None = None
) -> "Archive":
    """Open the archive in a folder: its signature is checked first, then that exactly its files are there.

    `trusted` are public keys of Ed25519 in base64, `identities` those of age. The archive must have the name of its
    folder, or `name` where it was brought here under another one. Raises ArchiveRefused, and OSError where the disk
    does not let it be read; no row is read yet.
    """
    if folder.is_symlink() or not folder.is_dir():
        raise ArchiveRefused(folder.name, "there is no such folder")
    data = file_bytes(folder, MANIFEST, MAX_MANIFEST_BYTES)
    signer = signature_check(data, file_bytes(folder, SIGNATURE, MAX_SIGNATURE_BYTES), trusted)
    manifest = manifest_read(data)
    if manifest.signing_key_id != signer:
        raise ArchiveRefused(MANIFEST, "it names another signer than its signature")
    if manifest.name != (name or folder.name):
        raise ArchiveRefused(MANIFEST, f"this is the archive {manifest.name}, put under the name {folder.name}")
    _check_entries(folder, manifest)
    return Archive(folder, manifest, manifest_sha256(data), identities)


class Archive:
    """An archive whose manifest is trusted. Its files are looked at when they are asked for."""

    def __init__(self, folder: Path, manifest: Manifest, sha256: str, identities: Sequence[Any]) -> None:
        self.folder, self.manifest, self.sha256 = folder, manifest, sha256
        self._identities = identities

    @property
    def readable(self) -> bool:
        """Whether its rows can be read here: it is not encrypted, or there is an identity to try."""
        return self.manifest.encryption is None or bool(self._identities)

    def check_stored(self, tick: Tick = lambda _bytes: None) -> None:
        """Read every file back and compare it; its content too where it can be read. Raises ArchiveRefused."""
        for table in self.manifest.tables:
            for part in table.files:
                kept = self._stored(part)
                if self.readable:
                    unpacked_check(part.name, self._packed(part, kept), part.bytes, part.sha256)
                tick(part.stored_bytes)

    def check_rows(self, tick: Tick = lambda _bytes: None) -> None:
        """Read every row of every table and compare counts, keys and checksums. Raises ArchiveRefused."""
        for table in self.manifest.tables:
            for _rows in self.rows(table, tick):
                pass

    def rows(self, table: Table, tick: Tick = lambda _bytes: None) -> Iterator[list[tuple[Any, ...]]]:
        """Yield the rows of a table in batches; each file is compared as a whole before its first row is given out.

        What the manifest says of the table is compared at the end. Raises ArchiveRefused.
        """
        reader, total = LineReader(table.columns), _Totals(table)
        for part in table.files:
            packed = self._packed(part, self._stored(part))
            unpacked_check(part.name, packed, part.bytes, part.sha256)
            found = 0
            for lines in _whole_lines(part.name, unpacked(part.name, packed, part.bytes)):
                try:
                    rows = reader.rows(lines)
                except RowRefused as error:
                    raise ArchiveRefused(part.name, f"it holds what is no row of {table.label}: {error}") from error
                total.add(rows, lines)
                found += len(rows)
                yield rows
            if found != part.rows:
                raise ArchiveRefused(part.name, f"it holds {found} rows instead of {part.rows}")
            tick(part.stored_bytes)
        total.check()

    def _stored(self, part: Part) -> bytes:
        kept = file_bytes(self.folder, part.name, part.stored_bytes)
        if len(kept) != part.stored_bytes:
            raise ArchiveRefused(part.name, f"it ends after {len(kept)} of {part.stored_bytes} bytes")
        if hashlib.sha256(kept).hexdigest() != part.stored_sha256:
            raise ArchiveRefused(part.name, "it was changed: its SHA-256 is not the stated one")
        return kept

    def _packed(self, part: Part, kept: bytes) -> bytes:
        if self.manifest.encryption is None:
            return kept
        if not self._identities:
            raise ArchiveRefused(part.name, "it is encrypted, and no identity is given (BACKUP_AGE_IDENTITY_FILE)")
        return opened(part.name, kept, self._identities)


class _Totals:
    """What the rows of a table add up to, held against the manifest."""

    def __init__(self, table: Table) -> None:
        self._table, self._checksum = table, 0
        self._key = [column.name for column in table.columns].index(table.primary_key)
        self._least: Any = None
        self._greatest: Any = None

    def add(self, rows: list[tuple[Any, ...]], lines: bytes) -> None:
        self._checksum = checksum_added(self._checksum, checksum_of(lines))
        keys = [row[self._key] for row in rows]
        self._least = min(keys) if self._least is None else min(self._least, *keys)
        self._greatest = max(keys) if self._greatest is None else max(self._greatest, *keys)

    def check(self) -> None:
        stated = (self._table.checksum, self._table.min_pk, self._table.max_pk)
        if (checksum_text(self._checksum), self._least, self._greatest) != stated:
            raise ArchiveRefused(MANIFEST, f"the rows of {self._table.label} do not add up to what it states")


def _whole_lines(name: str, chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Yield the chunks cut at ends of lines."""
    rest = b""
    for chunk in chunks:
        cut = chunk.rfind(b"\n") + 1
        if cut:
            yield rest + chunk[:cut]
            rest = chunk[cut:]
        else:
            rest += chunk
    if rest:
        raise ArchiveRefused(name, "its last line has no end")


def file_bytes(folder: Path, name: str, limit: int) -> bytes:
    """Return the bytes of a plain file in an archive; neither links nor pipes are followed.

    Raises ArchiveRefused, and OSError where the disk does not let it be read.
    """
    try:
        handle = os.open(folder / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        if error.errno not in _IN_THE_ARCHIVE:
            raise
        raise ArchiveRefused(name, f"it cannot be opened: {error.strerror}") from error
    with os.fdopen(handle, "rb", buffering=0) as file:
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode):
            raise ArchiveRefused(name, "it is no regular file")
        if status.st_size > limit:
            raise ArchiveRefused(name, f"it has {status.st_size} bytes, more than the {limit} that it may have")
        return file.readall()


def _check_entries(folder: Path, manifest: Manifest) -> None:
    """See that the folder holds exactly the files that the manifest names, all of them regular ones."""
    expected = {MANIFEST, SIGNATURE} | {part.name for table in manifest.tables for part in table.files}
    folders = {TABLES} | {f"{TABLES}/{table.label}" for table in manifest.tables}
    found = set()
    for number, (name, entry) in enumerate(_entries(folder, ""), 1):
        if number > _MAX_ENTRIES:
            raise ArchiveRefused(folder.name, f"it holds more than {_MAX_ENTRIES} entries")
        if entry.is_symlink():
            raise ArchiveRefused(name, "it is a symbolic link")
        if entry.is_dir(follow_symlinks=False):
            if name not in folders:
                raise ArchiveRefused(name, "this folder is not part of the archive")
        elif not entry.is_file(follow_symlinks=False):
            raise ArchiveRefused(name, "it is no regular file")
        elif name not in expected:
            raise ArchiveRefused(name, "this file is not named in the manifest")
        else:
            found.add(name)
    if missing := sorted(expected - found):
        raise ArchiveRefused(missing[0], f"it is missing ({len(missing)} missing in all)")


def _entries(folder: Path, prefix: str) -> Iterator[tuple[str, "os.DirEntry[str]"]]:
    """Every entry below the folder; links are named and not followed, and nothing deeper than tables are is entered."""
    try:
        with os.scandir(folder) as scan:
            for entry in scan:
                name = prefix + os.fsencode(entry.name).decode("utf-8", "backslashreplace")
                yield name, entry
                if entry.is_dir(follow_symlinks=False) and name.count("/") <= 1:
                    yield from _entries(Path(entry.path), f"{name}/")
    except OSError as error:
        if error.errno not in _IN_THE_ARCHIVE:
            raise
        raise ArchiveRefused(prefix or folder.name, f"the folder cannot be read: {error.strerror}") from error
