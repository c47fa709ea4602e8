"""Reads the old system's own backups: JSON that carries a gzip as text (each byte one character), or a real gzip."""

import json
import zlib
from collections.abc import Iterator
from io import BytesIO
from pathlib import PurePosixPath
from typing import Any

import orjson

from backups_app.legacy.blueplan.entries import KINDS, BadValue, Entry, value_of
from backups_app.legacy.elements import Elements, Readable, key_of
from backups_app.legacy.files import CHUNK, FoundFile, Unreadable, read_whole
from backups_app.legacy.types import Finding, Level, Limits, Place, Reading

TABLE = "backup"
PACKED_ENDING = ".json.gz"
_GZIP = b"\x1f\x8b"
_WITH_GZIP_HEADER = 16 + zlib.MAX_WBITS
_ALWAYS_ALLOWED = 16 * CHUNK


def backup_entries(file: FoundFile, reading: Reading) -> Iterator[Entry]:
    """The keys in a backup. One that is damaged anywhere yields none: what it holds is no longer what was saved."""
    place = Place(file.name)
    try:
        packed = _packed(file, place, reading)
        _look_through(packed, place, reading)
    except (Unreadable, BadValue) as error:
        reading.report(Finding(Level.REJECTED, "bad_backup", place, str(error), "file"))
        return
    for key, value in _members(Unpacked(packed, reading.limits), reading.limits):
        data = value.encode("utf-8", "surrogatepass") if type(value) is str else json.dumps(value).encode()
        yield Entry(key, data, place.at_row(TABLE, key))


def is_backup(value: Any) -> bool:
    """Whether a document is one of the old system's backups."""
    return type(value) is dict and value.keys() >= {"backup_name", "data_size"}


def _packed(file: FoundFile, place: Place, reading: Reading) -> bytes:
    data = read_whole(file.path, reading.limits.document_bytes)
    return data if file.name.endswith(PACKED_ENDING) else _carried(data, file, place, reading)


def _look_through(packed: bytes, place: Place, reading: Reading) -> None:
    """Read all of it, keeping nothing. Raises `Unreadable` or `BadValue` where it is damaged."""
    unpacked = Unpacked(packed, reading.limits)
    for _key, _value in _members(unpacked, reading.limits):
        pass
    if unpacked.gzips > 1:
        detail = f"the gzip has {unpacked.gzips} members; they were read as one"
        reading.report(Finding(Level.NOTE, "several_members", place, detail, "file"))


def _carried(data: bytes, file: FoundFile, place: Place, reading: Reading) -> bytes:
    """The gzip that a backup's JSON carries. What the JSON says of it is only held against it."""
    # Not by our own reader, which replaces NUL: here it is a byte of the gzip.
    try:
        told = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise BadValue("invalid_json", f"invalid JSON: {error}") from error
    if not is_backup(told):
        raise BadValue("not_a_backup", "no backup: backup_name or data_size is missing")
    text = told.get("data")
    if type(text) is not str:
        raise BadValue("no_data", "the backup has no data")
    try:
        packed = text.encode("latin-1")
    except UnicodeEncodeError as error:
        raise BadValue("beyond_latin1", f"character {error.start} of the data is no byte") from error
    if told["data_size"] != len(packed):
        detail = f"data_size says {told['data_size']!r:.30}, there are {len(packed)} bytes; the bytes count"
        reading.report(Finding(Level.REPAIRED, "data_size", place, detail, "file"))
    name = PurePosixPath(file.name).name.removesuffix(".json")
    if told["backup_name"] != name:
        detail = f"the backup calls itself {told['backup_name']!r:.100}; a name is never a path"
        reading.report(Finding(Level.NOTE, "backup_name", place, detail, "file"))
    return packed


class Unpacked:
    """What a gzip holds, unpacked as it is read; `gzips` counts its members so far.

    Reading raises `Unreadable` for what is no gzip, is cut or damaged (the checksum of each member is held against it),
    or unpacks beyond the bounds.
    """

    def __init__(self, packed: bytes, limits: Limits) -> None:
        """Nothing is unpacked yet."""
        self.gzips = 0
        self._packed = packed
        self._at = 0
        self._bound = max(len(packed) * limits.unpack_ratio, _ALWAYS_ALLOWED)
        self._pieces = self._unpacked()

    def read(self, _size: int, /) -> bytes:
        """The next piece, whatever its size; nothing at the end."""
        return next(self._pieces, b"")

    def _unpacked(self) -> Iterator[bytes]:
        length = 0
        while self._at < len(self._packed) or self.gzips == 0:
            if not self._packed.startswith(_GZIP, self._at):
                raise Unreadable("something that is no gzip follows the gzip" if self.gzips else "not a gzip")
            self.gzips += 1
            for piece in self._of_one():
                length += len(piece)
                if length > self._bound:
                    raise Unreadable(f"unpacks to more than {self._bound} bytes")
                if piece:
                    yield piece

    def _of_one(self) -> Iterator[bytes]:
        """Unpack one member, and go to where it ends."""
        inflate = zlib.decompressobj(_WITH_GZIP_HEADER)
        try:
            while not inflate.eof:
                fed = inflate.unconsumed_tail
                if not fed:
                    fed = self._packed[self._at : self._at + CHUNK]
                    self._at += len(fed)
                piece = inflate.decompress(fed, CHUNK)
                if not piece and not fed and not inflate.eof:
                    raise Unreadable("the gzip is cut")
                yield piece
        except zlib.error as error:
            raise Unreadable(f"the gzip is damaged: {error}") from error
        self._at -= len(inflate.unused_data)


def _members(unpacked: Readable, limits: Limits) -> Iterator[tuple[str, Any]]:
    """The members by key, one at a time, also where a backup has them grouped by category."""
    for key, begins, data in _pieces(unpacked, limits):
        if key in KINDS and data.startswith(b"{", begins):
            group = BytesIO(data)
            group.seek(begins)
            for rest, inner_begins, inner in _pieces(group, limits):
                yield f"{key}:{rest}", value_of(inner[inner_begins:], limits.depth - 2)[0]
        else:
            yield key, value_of(data[begins:], limits.depth - 1)[0]


def _pieces(file: Readable, limits: Limits) -> Iterator[tuple[str, int, bytes]]:
    """The members of an object as they stand: the key, where the value begins, and both. Raises `BadValue`."""
    elements = Elements(file, limits.document_bytes)
    for piece in elements:
        found = key_of(piece.data) if elements.is_object else None
        if found is None:
            raise BadValue("not_an_object", "the backup holds no JSON object")
        key, _repairs = value_of(found[0], limits.depth)
        if piece.too_long:
            raise BadValue("too_long", f"the value of {key!r:.300} is longer than {limits.document_bytes} bytes")
        yield key, found[1], piece.data
    if not elements.is_object:
        raise BadValue("not_an_object", "the backup holds no JSON object")
    if elements.are_followed():
        raise BadValue("invalid_json", "more than one JSON value")
