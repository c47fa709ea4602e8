"""Reads JSON exactly: big integers stay integers, and what no database can store is replaced and named."""

import json
import re
from collections.abc import Iterator
from typing import Any

import orjson
from msgspec import Struct

from config.shared.text import Replaced, TooDeep, clean_json

# orjson turns integers beyond 64 bits into floats: a run of 19 digits is read the slow way. Blotting out which digit
# it is and then looking for the run costs a fiftieth of a regular expression.
_DIGITS_ALIKE = bytes(0x30 if byte in b"0123456789" else 0x20 for byte in range(256))
_MANY_DIGITS = b"0" * 19
_PIECE = 1024 * 1024
# A value can take a hundred times the bytes that it is written with: without a bound a few megabytes fill the memory.
MOST_VALUES = 2_500_000
_TEXT = re.compile(rb'"(?:[^"\\]++|\\.)*+"', re.DOTALL)

TEXT_REPLACED = "text_replaced"
NOT_FINITE = "number_not_finite"
SEVERAL_OBJECTS = "several_objects_on_one_line"

EXPLAINED = {
    TEXT_REPLACED: "NUL or a lone surrogate in a text was replaced by U+FFFD",
    NOT_FINITE: "NaN or an infinite number was replaced by null",
    SEVERAL_OBJECTS: "several JSON values stand on one line; each was read",
}


class BadJSON(Exception):
    """Text that is not JSON within the bounds. `code` is short and stable, the text is for people."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code


class Parsed(Struct, frozen=True):
    """The JSON values of a text (one, unless writers shared a line), what was replaced, and an unreadable rest."""

    values: list[Any]
    repairs: tuple[str, ...] = ()
    rest: BadJSON | None = None


def parse_json(data: bytes, depth: int) -> Parsed:
    """Read `data` as JSON, nested at most `depth` deep, with at most MOST_VALUES values.

    Raises `BadJSON` when not even one value can be read.
    """
    if len(data) > MOST_VALUES and _signs_in(data) > MOST_VALUES and _signs_in(_TEXT.sub(b"", data)) > MOST_VALUES:
        raise BadJSON("too_many_values", f"more than {MOST_VALUES:,} values")
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError:
        return _parse_with_care(data, depth)
    if _has_many_digits(data) or b"\\u0000" in data:
        return _parse_with_care(data, depth)
    if data.count(b"[") + data.count(b"{") > depth and _deeper_than(value, depth):
        raise BadJSON("nested_too_deep", f"nested more than {depth} deep")
    return Parsed([value])


def _signs_in(data: bytes) -> int:
    """How many values there are at most: each but the first stands behind one of these signs."""
    return data.count(b",") + data.count(b"{") + data.count(b"[")


def _has_many_digits(data: bytes) -> bool:
    """Whether so many digits stand in a row; a long text is looked through piece by piece."""
    if len(data) <= _PIECE:
        return _MANY_DIGITS in data.translate(_DIGITS_ALIKE)
    overlap = len(_MANY_DIGITS) - 1
    return any(
        _MANY_DIGITS in data[start : start + _PIECE + overlap].translate(_DIGITS_ALIKE)
        for start in range(0, len(data), _PIECE)
    )


def _parse_with_care(data: bytes, depth: int) -> Parsed:
    """The slow and exact way, for the few texts that need it."""
    values, rest = _read_values(_as_text(data))
    replaced = Replaced()
    try:
        values = [clean_json(value, replaced, depth) for value in values]
    except TooDeep as error:
        raise BadJSON("nested_too_deep", f"nested more than {depth} deep") from error
    return Parsed(values, tuple(_repairs(replaced, len(values))), rest)


def _repairs(replaced: Replaced, values: int) -> Iterator[str]:
    if values > 1:
        yield SEVERAL_OBJECTS
    if replaced.characters:
        yield TEXT_REPLACED
    if replaced.numbers:
        yield NOT_FINITE


def _as_text(data: bytes) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise BadJSON("not_utf8", f"not UTF-8 at byte {error.start}") from error


def _read_values(text: str) -> tuple[list[Any], BadJSON | None]:
    """All values of the text, one after another, and the error that ended the reading, if one did."""
    decoder = json.JSONDecoder()
    values: list[Any] = []
    at = _skip_blanks(text, 0)
    while at < len(text):
        try:
            value, at = decoder.raw_decode(text, at)
        except (ValueError, RecursionError) as error:
            bad = _described(error)
            if not values:
                raise bad from error
            return values, bad
        values.append(value)
        at = _skip_blanks(text, at)
    if not values:
        raise BadJSON("empty", "empty")
    return values, None


def _described(error: Exception) -> BadJSON:
    if isinstance(error, RecursionError):
        return BadJSON("nested_too_deep", "nested too deep to be read")
    return BadJSON("invalid_json", f"invalid JSON: {error}")


def _skip_blanks(text: str, at: int) -> int:
    while at < len(text) and text[at] in " \t\r\n":
        at += 1
    return at


def _deeper_than(value: Any, depth: int) -> bool:
    """Whether lists and objects are nested more than `depth` deep (`depth` bounds the recursion too)."""
    if type(value) is dict:
        return depth == 0 or any(
            _deeper_than(child, depth - 1) for child in value.values() if type(child) in (dict, list)
        )
    if type(value) is list:
        return depth == 0 or any(_deeper_than(child, depth - 1) for child in value if type(child) in (dict, list))
    return False
