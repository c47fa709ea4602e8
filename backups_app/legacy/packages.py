"""Unpacks a zip or tar of unknown origin into a new folder, without being led outside of it or filled up."""

import os
import stat
import tarfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO, cast
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile, ZipInfo

from msgspec import Struct

from backups_app.legacy.files import CHUNK, Unreadable, open_plain, open_unpacked

ZIP_ENDING = ".zip"
TAR_ENDINGS = (".tar", ".tar.gz", ".tgz")
# The end of a zip: how long its list of entries is. All of the list is read at once.
_ZIP_END, _ZIP_END_BYTES, _LIST_SIZE_AT = b"PK\x05\x06", 22 + 65_535, 12
_ENCRYPTED = 0x1
_DEEPEST, _LONGEST_NAME = 50, 255
# What the standard libraries raise for damage, passwords, and what they do not know.
_DAMAGE = (BadZipFile, tarfile.TarError, zlib.error, EOFError, OSError, ValueError, RuntimeError, NotImplementedError)


class Bounds(Struct, frozen=True):
    """How much may come out of a package: in all, by its own size, and in how many files."""

    most_bytes: int = 2 * 1024**3
    ratio: int = 200
    most_entries: int = 50_000
    # The list of a zip, or one header of a tar.
    list_bytes: int = 8 * 1024 * 1024


def is_package(name: str) -> bool:
    """Whether a file of this name is to be unpacked."""
    return name.lower().endswith((ZIP_ENDING, *TAR_ENDINGS))


def unpack(package: Path, folder: Path, bounds: Bounds | None = None) -> None:
    """Unpack a package into a folder that is made for it.

    Raises `Unreadable` where it is damaged, beyond the bounds, or holds anything but files and folders below its own
    root; what came out until then is for the caller to remove.
    """
    folder.mkdir(mode=0o700)
    try:
        if package.name.lower().endswith(ZIP_ENDING):
            _Unpacking(folder, package, bounds or Bounds()).zip()
        else:
            _Unpacking(folder, package, bounds or Bounds()).tar()
    except RecursionError as error:
        raise Unreadable("the package is damaged: headers in headers") from error
    except _DAMAGE as error:
        raise Unreadable(f"the package is damaged or not what its name says: {error}") from error


class _Unpacking:
    """One package on its way into its folder."""

    def __init__(self, folder: Path, package: Path, bounds: Bounds) -> None:
        self._folder = folder
        self._package = package
        self._bounds = bounds
        self._left = min(bounds.most_bytes, max(package.stat().st_size * bounds.ratio, 16 * CHUNK))
        self._entries = 0

    def zip(self) -> None:
        with open_plain(self._package) as file:
            self._check_list(file)
            with ZipFile(file) as archive:
                for entry in archive.infolist():
                    self._zip_entry(archive, entry)

    def tar(self) -> None:
        with open_unpacked(self._package, self._bounds.ratio) as file:
            modest = cast("IO[bytes]", _Modest(file, self._bounds.list_bytes))
            with tarfile.open(fileobj=modest, mode="r:") as archive:
                for entry in _forgotten(archive):
                    self._tar_entry(archive, entry)

    def _check_list(self, file: IO[bytes]) -> None:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - _ZIP_END_BYTES))
        end = file.read()
        at = end.rfind(_ZIP_END)
        if at < 0:
            raise Unreadable("not a zip, or one without its end")
        listed = int.from_bytes(end[at + _LIST_SIZE_AT : at + _LIST_SIZE_AT + 4], "little")
        if listed > self._bounds.list_bytes:
            raise Unreadable(f"its list of entries is longer than {self._bounds.list_bytes} bytes")

    def _zip_entry(self, archive: ZipFile, entry: ZipInfo) -> None:
        mode = entry.external_attr >> 16
        if entry.is_dir():
            self._make_folder(entry.filename)
            return
        if stat.S_IFMT(mode) not in (0, stat.S_IFREG):
            raise Unreadable(f"{entry.filename!r:.300} is no file but a link or a device")
        if entry.flag_bits & _ENCRYPTED or entry.compress_type not in (ZIP_STORED, ZIP_DEFLATED):
            raise Unreadable(f"{entry.filename!r:.300} is encrypted, or packed in a way that is not read")
        with archive.open(entry) as source:
            self._write(entry.filename, source)

    def _tar_entry(self, archive: tarfile.TarFile, entry: tarfile.TarInfo) -> None:
        if entry.isdir():
            self._make_folder(entry.name)
            return
        if not entry.isreg() or entry.issparse():
            raise Unreadable(f"{entry.name!r:.300} is no plain file but a link, a device or a sparse file")
        source = archive.extractfile(entry)
        if source is not None:
            self._write(entry.name, source)

    def _write(self, name: str, source: IO[bytes]) -> None:
        target = self._inside(name)
        if target is None:
            raise Unreadable(f"a file is called {name!r:.300}")
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with target.open("xb") as out:
            while piece := source.read(CHUNK):
                self._left -= len(piece)
                if self._left < 0:
                    raise Unreadable("more comes out of it than its size allows for")
                out.write(piece)

    def _make_folder(self, name: str) -> None:
        target = self._inside(name)
        if target is not None:
            target.mkdir(mode=0o700, parents=True, exist_ok=True)

    def _inside(self, name: str) -> Path | None:
        """Where an entry belongs; None for the root itself. Every name counts, whatever it is of."""
        self._entries += 1
        if self._entries > self._bounds.most_entries:
            raise Unreadable(f"it has more than {self._bounds.most_entries} entries")
        path = PurePosixPath(name)
        long = any(len(os.fsencode(part)) > _LONGEST_NAME for part in path.parts) or len(path.parts) > _DEEPEST
        if path.is_absolute() or ".." in path.parts or "\\" in name or "\x00" in name or long:
            raise Unreadable(f"the name {name!r:.300} leads outside, or is none")
        return self._folder / path if path.parts else None


class _Modest:
    """A file of which nobody reads a lot at once: a header of a tar says itself how long it is."""

    def __init__(self, file: IO[bytes], most_bytes: int) -> None:
        self._file = file
        self._most = most_bytes
        self.seek, self.tell = file.seek, file.tell

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= self._most:
            raise Unreadable(f"a header in it is longer than {self._most} bytes")
        return self._file.read(size)


def _forgotten(archive: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    """The entries one after another; the library would keep all of them."""
    while (entry := archive.next()) is not None:
        yield entry
        archive.members = []  # type: ignore[attr-defined]
