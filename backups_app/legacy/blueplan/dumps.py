"""Reads dumps of Redis: one JSON object a line (NDJSON), and RDB files."""

import json
from collections.abc import Iterator
from typing import Any

import rdb

from backups_app.legacy.blueplan.entries import BadValue, Entry, category_of, other_type, value_of
from backups_app.legacy.files import FoundFile, Line, Unreadable, lines_of, open_plain
from backups_app.legacy.types import Finding, Level, Place, Reading, raw_text

TABLE = "redis"
STRING = "string"
RDB_MAGIC = b"REDIS"
# Where the items of RDB's types have their content.
_CONTENT = {"list": "values", "set": "members", "sorted_set": "values", "hash": "values"}
# What an entry of these types becomes is told: the old system could not have read it either.
_TOLD_TYPES = {"sorted_set": "zset"}


def line_entries(file: FoundFile, reading: Reading) -> Iterator[Entry]:
    """The keys in an NDJSON dump; bad lines are reported."""
    limits = reading.limits
    try:
        for line in lines_of(file.path, line_bytes=limits.line_bytes, unpack_ratio=limits.unpack_ratio):
            if line.data and not line.data.isspace():
                yield from _of_line(line, Place(file.name, line.number), reading)
    except Unreadable as error:
        reading.report(Finding(Level.REJECTED, "unreadable", Place(file.name), str(error), "file"))


def _of_line(line: Line, place: Place, reading: Reading) -> Iterator[Entry]:
    try:
        if line.too_long:
            raise BadValue("line_too_long", f"longer than {reading.limits.line_bytes} bytes")
        told, _repairs = value_of(line.data, reading.limits.depth)
        if type(told) is not dict or type(told.get("key")) is not str or "value" not in told:
            raise BadValue("not_an_entry", "a line has to be an object with key and value")
    except BadValue as error:
        # A line may hold a configuration with its secrets.
        reading.report(Finding(Level.REJECTED, error.code, place, str(error), "entry"))
        return
    yield typed_entry(told["key"], told.get("type", STRING), told["value"], place, reading)


def typed_entry(key: str, kind: Any, value: Any, place: Place, reading: Reading) -> Entry:
    """The entry of a key of any of Redis's types; one of the store's that is no text is told."""
    if type(value) is str:
        return Entry(key, value.encode("utf-8", "surrogatepass"), place)
    if type(value) is bytes:
        return Entry(key, value, place)
    if category_of(key):
        detail = f"{key!r:.200} is a {kind!s:.20} where the old system kept a text; read all the same"
        reading.report(Finding(Level.REPAIRED, "redis_type", place, detail, "entry"))
    if isinstance(value, dict | list):
        return Entry(key, other_type(str(kind), value), place)
    return Entry(key, json.dumps(value).encode(), place)


def looks_like_rdb(file: FoundFile) -> bool:
    """Whether a file begins as an RDB file does."""
    try:
        with open_plain(file.path) as opened:
            return opened.read(len(RDB_MAGIC)) == RDB_MAGIC
    except Unreadable:
        return False


def rdb_entries(file: FoundFile, reading: Reading) -> Iterator[Entry]:
    """The keys in an RDB file, those that would have expired too. What follows a damaged place is lost, and told."""
    base, place = 0, Place(file.name)
    try:
        if not looks_like_rdb(file):
            raise Unreadable("not an RDB file")
        for item in rdb.RdbDecoder(file.path):
            if item["type"] == "select_db":
                base = item["db"]
            elif item["type"] == STRING or item["type"] in _CONTENT:
                yield _of_item(item, place, base, reading)
    except (ValueError, OSError, Unreadable) as error:
        detail = f"the RDB file cannot be read further: {raw_text(str(error))}"
        reading.report(Finding(Level.REJECTED, "unreadable", place, detail, "file"))


def _of_item(item: Any, place: Place, base: int, reading: Reading) -> Entry:
    kind = item["type"]
    key = item["key"].decode("utf-8", "replace")
    where = place.at_row(TABLE, key if base == 0 else f"{base}/{key}")
    if kind == STRING:
        return Entry(key, item["value"], where)
    content = item[_CONTENT[kind]]
    if kind == "sorted_set":
        content = {member: score for score, member in content}
    return typed_entry(key, _TOLD_TYPES.get(kind, kind), content, where, reading)
