"""Reads the old system's own backups: JSON that carries a gzip as text (each byte one character), or a real gzip."""

import json
import zlib
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any

import orjson

from backups_app.legacy.blueplan.entries import KINDS, BadValue, Entry, value_of
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
        members = _members(file, place, reading)
    except (Unreadable, BadValue) as error:
        reading.report(Finding(Level.REJECTED, "bad_backup", place, str(error), "file"))
        return
    for key, value in members:
        data = value.encode("utf-8", "surrogatepass") if type(value) is str else json.dumps(value).encode()
        yield Entry(key, data, place.at_row(TABLE, key))


def is_backup(value: Any) -> bool:
    """Whether a document is one of the old system's backups."""
    return type(value) is dict and value.keys() >= {"backup_name", "data_size"}


def _members(file: FoundFile, place: Place, reading: Reading) -> list[tuple[str, Any]]:
    data = read_whole(file.path, reading.limits.document_bytes)
    if not file.name.endswith(PACKED_ENDING):
        data = _carried(data, file, place, reading)
    unpacked, members = unpack(data, reading.limits)
    if members > 1:
        detail = f"the gzip has {members} members; they were read as one"
        reading.report(Finding(Level.NOTE, "several_members", place, detail, "file"))
    value, _repairs = value_of(unpacked, reading.limits.depth)
    if type(value) is not dict:
        raise BadValue("not_an_object", "the backup holds no JSON object")
    return list(_flat(value))


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


def unpack(packed: bytes, limits: Limits) -> tuple[bytes, int]:
    """What a gzip holds, all of its members, and how many they are.

    Raises `Unreadable` for what is no gzip, is cut or damaged, or unpacks beyond the bounds.
    """
    bound = min(limits.document_bytes, max(len(packed) * limits.unpack_ratio, _ALWAYS_ALLOWED))
    unpacked, members = bytearray(), 0
    while packed:
        if not packed.startswith(_GZIP):
            raise Unreadable("not a gzip" if members == 0 else "something that is no gzip follows the gzip")
        members += 1
        packed = _member(packed, unpacked, bound)
    if members == 0:
        raise Unreadable("not a gzip")
    return bytes(unpacked), members


def _member(packed: bytes, unpacked: bytearray, bound: int) -> bytes:
    """Unpack one member (its checksum is held against it), and return what follows it."""
    inflate = zlib.decompressobj(_WITH_GZIP_HEADER)
    try:
        while not inflate.eof:
            piece = inflate.decompress(packed, CHUNK)
            unpacked += piece
            packed = inflate.unconsumed_tail
            if len(unpacked) > bound:
                raise Unreadable(f"unpacks to more than {bound} bytes")
            if not piece and not packed and not inflate.eof:
                raise Unreadable("the gzip is cut")
    except zlib.error as error:
        raise Unreadable(f"the gzip is damaged: {error}") from error
    return inflate.unused_data


def _flat(value: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """The members by key, also where a backup has them grouped by category."""
    for key, item in value.items():
        if key in KINDS and type(item) is dict:
            yield from ((f"{key}:{rest}", inner) for rest, inner in item.items())
        else:
            yield key, item
