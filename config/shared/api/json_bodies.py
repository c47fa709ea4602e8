"""JSON from clients: decoded fast, made storable, and refused with the place named where it cannot be kept."""

import json
from collections.abc import Iterator
from typing import Any

import orjson

from config.shared.errors import FieldError, InvalidInput
from config.shared.text import MAX_JSON_DEPTH, Replaced, TooDeep, clean_json, clean_text

SMALLEST_INTEGER = -(2**63)
GREATEST_INTEGER = 2**63 - 1
# All digits as 0 and everything else as a space: nineteen zeros in a row may be an integer beyond 64 bits.
_DIGITS = bytes(ord("0" if chr(code) in "0123456789" else " ") for code in range(256))
_LONG_NUMBER = b"0" * 19
_LONGEST_INTEGER = 20
BROKEN_ID = "An id may hold neither NUL nor a lone surrogate."
_TOO_DEEP = f"The JSON is nested deeper than {MAX_JSON_DEPTH} levels."


class _Beyond:
    """Stands for an integer of more digits than 64 bits hold, until its place is known."""


_BEYOND = _Beyond()


def decode_json(body: bytes, replaced: Replaced) -> Any:
    """Return the JSON value of a request body, counting what had to be replaced in it.

    NUL and lone surrogates become U+FFFD, NaN and Infinity become null. Raises InvalidInput for what is no JSON in
    UTF-8, is nested deeper than MAX_JSON_DEPTH, holds an integer beyond 64 bits (with a pointer to it), or an id that
    cannot be kept as it is.
    """
    value, is_plain = _decoded(body)
    if is_plain:
        return value
    if errors := [*_beyond(value), *_broken_ids(value)]:
        raise InvalidInput(errors)
    try:
        return clean_json(value, replaced)
    except TooDeep as error:
        raise InvalidInput.at("", _TOO_DEEP) from error


def decode_as_written(body: bytes) -> tuple[Any, list[FieldError]]:
    """Return the JSON value with nothing replaced in it, and where it holds integers beyond 64 bits.

    For values that a validator of their own makes storable. Raises InvalidInput for what is no JSON in UTF-8.
    """
    value, is_plain = _decoded(body)
    return value, [] if is_plain else list(_beyond(value))


def _decoded(body: bytes) -> tuple[Any, bool]:
    """Return the value, and whether there is nothing in it to refuse or to replace."""
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        return _decoded_with_care(body), False
    # What orjson lets through but a database does not: NUL, and integers beyond 64 bits (which it turns into floats).
    if b"\\u0000" in body or has_long_number(body):
        return _decoded_with_care(body), False
    return value, body.count(b"[") + body.count(b"{") <= MAX_JSON_DEPTH or not _is_deep(value)


def has_long_number(body: bytes) -> bool:
    """Return whether the bytes hold nineteen digits in a row: an integer beyond 64 bits has at least as many."""
    # A regular expression takes thirty times as long.
    return _LONG_NUMBER in body.translate(_DIGITS)


def _decoded_with_care(body: bytes) -> Any:
    try:
        return json.loads(body.decode("utf-8"), parse_int=_integer)
    except UnicodeDecodeError as error:
        raise InvalidInput.at("", f"The body is not UTF-8: byte {error.start} does not belong there.") from error
    except RecursionError as error:
        raise InvalidInput.at("", _TOO_DEEP) from error
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise InvalidInput.at("", f"The body is not JSON: {error.msg} ({place}).") from error


def _integer(digits: str) -> Any:
    return int(digits) if len(digits) <= _LONGEST_INTEGER else _BEYOND


def _beyond(value: Any, pointer: str = "", depth: int = MAX_JSON_DEPTH + 1) -> Iterator[FieldError]:
    """Yield where integers beyond 64 bits are; what is nested too deep to be kept is not looked into."""
    if value is _BEYOND or (isinstance(value, int) and not SMALLEST_INTEGER <= value <= GREATEST_INTEGER):
        yield FieldError(pointer, "Integers beyond 64 bits cannot be kept.")
    elif isinstance(value, dict | list) and depth > 0:
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _beyond(item, f"{pointer}/{escape_pointer(str(key))}", depth - 1)


def _broken_ids(value: Any, pointer: str = "") -> Iterator[FieldError]:
    """Yield the ids of an object, or of each in a list, that hold what is replaced in texts.

    An id is refused instead: two ids that differ in nothing else would become one, and the second record be lost as a
    repetition of the first.
    """
    if isinstance(value, list):
        for place, item in enumerate(value):
            if isinstance(item, dict):
                yield from _broken_ids(item, f"{pointer}/{place}")
    elif isinstance(value, dict):
        for key, item in value.items():
            if key.endswith("_id") and isinstance(item, str) and clean_text(item, Replaced()) != item:
                yield FieldError(f"{pointer}/{escape_pointer(key)}", BROKEN_ID)


def _is_deep(value: Any) -> bool:
    level, depth = [value], 0
    while level := [item for item in level if isinstance(item, dict | list)]:
        depth += 1
        if depth > MAX_JSON_DEPTH:
            return True
        level = [child for item in level for child in (item.values() if isinstance(item, dict) else item)]
    return False


def escape_pointer(key: str) -> str:
    """Return one step of a JSON pointer (RFC 6901)."""
    return key.replace("~", "~0").replace("/", "~1")
