"""Walks a folder and opens its files without being led outside, stopped, or filled up by what lies in it."""

import gzip
import os
import stat
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, NamedTuple, cast

from msgspec import Struct

CHUNK = 1024 * 1024
# What a file is, is told by reading it whole up to this size: looking costs little memory, whatever lies there.
READ_TO_LOOK = 4 * CHUNK
PACKED_SUFFIXES = (".gz", ".tgz")
_LF = ord("\n")


class Unreadable(Exception):
    """A file that can't be read as what it says it is; the text says why."""


class FoundFile(NamedTuple):
    """A regular file below the root: its absolute path, its path inside the store, and its size in bytes."""

    path: Path
    name: str
    size: int


class NotFollowed(NamedTuple):
    """A directory entry that is named and left alone: a link, a pipe, a device, or what we may not look at."""

    name: str
    why: str


class Line(Struct, frozen=True, gc=False):
    """One line of a file, without its end. `too_long` lines carry only their beginning."""

    number: int
    data: bytes
    too_long: bool = False


def is_file(path: Path) -> bool:
    """Whether a file is there. What we may not look at is none: an unreadable folder stops nothing."""
    try:
        return path.is_file()
    except OSError:
        return False


def is_folder(path: Path) -> bool:
    """Whether a folder is there that we may look at."""
    try:
        return path.is_dir()
    except OSError:
        return False


def has(folder: Path, pattern: str) -> bool:
    """Whether something in a folder matches a pattern, as far as we may look."""
    try:
        return next(folder.glob(pattern), None) is not None
    except OSError:
        return False


def walk(root: Path) -> Iterator[FoundFile | NotFollowed]:
    """Every entry below `root` in the order of names. Links are never followed; only plain files come to be read."""
    folders = [root]
    while folders:
        folder = folders.pop()
        try:
            with os.scandir(folder) as scan:
                entries = sorted(scan, key=lambda entry: entry.name)
        except OSError as error:
            yield NotFollowed(shown(folder, root), f"the folder cannot be read: {error.strerror}")
            continue
        folders.extend(Path(entry.path) for entry in reversed(entries) if entry.is_dir(follow_symlinks=False))
        yield from (_judged(entry, root) for entry in entries if not entry.is_dir(follow_symlinks=False))


def files_at(path: Path) -> Iterator[FoundFile | NotFollowed]:
    """Every entry below a folder, or the one file that `path` is."""
    if is_file(path):
        yield FoundFile(path, path.name, path.stat().st_size)
    else:
        yield from walk(path)


def shown(path: Path, root: Path) -> str:
    """The path inside the store with `/`, as text that can be stored and printed."""
    inside = path.relative_to(root).as_posix()
    return os.fsencode(inside).decode("utf-8", "backslashreplace").replace("\x00", "")


def _judged(entry: os.DirEntry[str], root: Path) -> FoundFile | NotFollowed:
    path = Path(entry.path)
    if entry.is_symlink():
        return NotFollowed(shown(path, root), "a symbolic link, not followed")
    if not entry.is_file(follow_symlinks=False):
        return NotFollowed(shown(path, root), "not a regular file (a pipe, a socket or a device), not opened")
    try:
        return FoundFile(path, shown(path, root), entry.stat(follow_symlinks=False).st_size)
    except OSError as error:
        return NotFollowed(shown(path, root), f"cannot be looked at: {error.strerror}")


@contextmanager
def open_plain(path: Path) -> Iterator[IO[bytes]]:
    """Open a regular file for reading. Raises `Unreadable` if it cannot be opened, or became a link or a pipe."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise Unreadable(f"cannot be opened: {error.strerror}") from error
    with os.fdopen(handle, "rb", buffering=CHUNK) as file:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise Unreadable("not a regular file")
        yield file


def beginning(path: Path) -> bytes:
    """The first bytes of a file, as many as tell what it is. Raises `Unreadable` as `open_plain` does."""
    with open_plain(path) as file:
        return file.read(CHUNK)


def read_whole(path: Path, limit: int) -> bytes:
    """All bytes of a file. Raises `Unreadable` when there are more than `limit`."""
    with open_plain(path) as file:
        data = file.read(limit + 1)
    if len(data) > limit:
        raise Unreadable(f"larger than {limit} bytes")
    return data


def lines_of(path: Path, *, line_bytes: int, unpack_ratio: int) -> Iterator[Line]:
    """The lines of a file, split at LF alone, at most `line_bytes` of one in memory.

    A `.gz` file is unpacked as it is read, up to `unpack_ratio` times its size (and 16 MiB in any case).
    Raises `Unreadable` after the last good line when a packed file is cut, damaged or unpacks without bound.
    """
    with open_unpacked(path, unpack_ratio) as file:
        yield from _split(file, line_bytes)


@contextmanager
def open_unpacked(path: Path, unpack_ratio: int) -> Iterator[IO[bytes]]:
    """Open a file as `open_plain` does; a `.gz` file gives what it holds, up to the bound that `lines_of` has.

    Reading raises `Unreadable` when a packed file is cut, damaged or unpacks without bound.
    """
    with open_plain(path) as file:
        if path.suffix.lower() not in PACKED_SUFFIXES:
            yield file
            return
        bound = max(os.fstat(file.fileno()).st_size * unpack_ratio, 16 * CHUNK)
        try:
            with _Bounded(file, bound) as unpacked:
                yield cast("IO[bytes]", unpacked)
        except (EOFError, OSError, zlib.error) as error:
            raise Unreadable(f"the packed file is damaged or cut: {error}") from error


class _Bounded(gzip.GzipFile):
    """A gzip file out of which no more than `bound` bytes come, however it is read."""

    def __init__(self, file: IO[bytes], bound: int) -> None:
        super().__init__(fileobj=file)
        self._bound = bound

    def read(self, size: int | None = -1) -> bytes:
        return self._within(super().read(size))

    def readline(self, size: int | None = -1) -> bytes:
        return self._within(super().readline(size))

    def _within(self, data: bytes) -> bytes:
        if self.tell() > self._bound:
            raise Unreadable(f"unpacks to more than {self._bound} bytes")
        return data


def _split(file: IO[bytes], line_bytes: int) -> Iterator[Line]:
    number = 0
    while data := file.readline(line_bytes + 1):
        number += 1
        if data[-1] == _LF:
            yield Line(number, data[:-1])
        elif len(data) <= line_bytes:
            yield Line(number, data)
        else:
            _skip_line(file)
            yield Line(number, data[:CHUNK], True)


def _skip_line(file: IO[bytes]) -> None:
    """Read on to the end of the line without keeping it."""
    while (data := file.readline(CHUNK)) and not data.endswith(b"\n"):
        pass
