"""JSON from clients: decoded fast, made storable, and refused with the place named where it cannot be kept."""

import json
import math
from typing import Any

import orjson

from config.shared.errors import FieldError, InvalidInput
from config.shared.text import MAX_JSON_DEPTH, Replaced, clean_text

SMALLEST_INTEGER = -(2**63)
GREATEST_INTEGER = 2**63 - 1
# All digits as 0 and everything else as a space: nineteen zeros in a row may be an integer beyond 64 bits.
_DIGITS = bytes(ord("0" if chr(code) in "0123456789" else " ") for code in range(256))
_LONG_NUMBER = b"0" * 19
_LONGEST_INTEGER = 20
_TOO_DEEP = f"The JSON is nested deeper than {MAX_JSON_DEPTH} levels."


class _Beyond:
    """Stands for an integer of more digits than 64 bits hold, until its place is known."""


_BEYOND = _Beyond()


def decode_json(body: bytes, replaced: Replaced) -> Any:
    """Return the JSON value of a request body, counting what had to be replaced in it.

    NUL and lone surrogates become U+FFFD, NaN and Infinity become null. Raises InvalidInput for what is no JSON in
    UTF-8, is nested deeper than MAX_JSON_DEPTH, or holds an integer beyond 64 bits (with a pointer to it).
    """
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        return _decode_with_care(body, replaced)
    # What orjson lets through but a database does not: NUL, and integers beyond 64 bits (which it turns into floats).
    if b"\\u0000" in body or has_long_number(body):
        return _decode_with_care(body, replaced)
    if body.count(b"[") + body.count(b"{") > MAX_JSON_DEPTH:
        _check_depth(value)
    return value


def has_long_number(body: bytes) -> bool:
    """Return whether the bytes hold nineteen digits in a row: an integer beyond 64 bits has at least as many."""
    # A regular expression takes thirty times as long.
    return _LONG_NUMBER in body.translate(_DIGITS)


def _decode_with_care(body: bytes, replaced: Replaced) -> Any:
    try:
        value = json.loads(body.decode("utf-8"), parse_int=_integer)
    except UnicodeDecodeError as error:
        raise InvalidInput.at("", f"The body is not UTF-8: byte {error.start} does not belong there.") from error
    except RecursionError as error:
        raise InvalidInput.at("", _TOO_DEEP) from error
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise InvalidInput.at("", f"The body is not JSON: {error.msg} ({place}).") from error
    errors: list[FieldError] = []
    value = _clean(value, "", MAX_JSON_DEPTH, replaced, errors)
    if errors:
        raise InvalidInput(errors)
    return value


def _integer(digits: str) -> Any:
    return int(digits) if len(digits) <= _LONGEST_INTEGER else _BEYOND


def _clean(value: Any, pointer: str, depth: int, replaced: Replaced, errors: list[FieldError]) -> Any:
    if isinstance(value, str):
        return clean_text(value, replaced)
    if value is _BEYOND or (isinstance(value, int) and not SMALLEST_INTEGER <= value <= GREATEST_INTEGER):
        errors.append(FieldError(pointer, "Integers beyond 64 bits cannot be kept."))
        return None
    if isinstance(value, float) and not math.isfinite(value):
        replaced.numbers += 1
        return None
    if not isinstance(value, dict | list):
        return value
    if depth <= 0:
        raise InvalidInput.at(pointer, _TOO_DEEP)
    if isinstance(value, list):
        return [_clean(item, f"{pointer}/{n}", depth - 1, replaced, errors) for n, item in enumerate(value)]
    return {
        clean_text(key, replaced): _clean(item, f"{pointer}/{escape_pointer(key)}", depth - 1, replaced, errors)
        for key, item in value.items()
    }


def _check_depth(value: Any) -> None:
    level, depth = [value], 0
    while level := [item for item in level if isinstance(item, dict | list)]:
        depth += 1
        if depth > MAX_JSON_DEPTH:
            raise InvalidInput.at("", _TOO_DEEP)
        level = [child for item in level for child in (item.values() if isinstance(item, dict) else item)]


def escape_pointer(key: str) -> str:
    """Return one step of a JSON pointer (RFC 6901)."""
    return key.replace("~", "~0").replace("/", "~1")
