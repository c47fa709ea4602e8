"""Reads token counts, durations and money from whatever an old store holds for them."""

import json
import math
import re
from decimal import Decimal, InvalidOperation
from typing import Any

MOST_TOKENS = 10**12
MOST_COST = Decimal(10) ** 12
COST_PLACES = 24
# Over thirty years. What claims to have taken longer was not measured.
MOST_SECONDS = 10**9
_SMALLEST_COST = Decimal(1).scaleb(-COST_PLACES)
_DIGITS = re.compile(r"\d{1,13}", re.ASCII)
# A number of JSON with a fraction or an exponent, up to what ends it.
_NUMBER = re.compile(rb"[ \t]*:[ \t]*(-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?)[ \t]*[,}]")
_DECIMAL = re.compile(r"[+-]?\d{1,40}(\.\d{1,40})?([eE][+-]?\d{1,3})?", re.ASCII)


def tokens_read(value: Any) -> int | None:
    """A token count from an integer, an integral float or plain digits, 0 to 10^12; None for anything else."""
    if (type(value) is float and value.is_integer()) or (type(value) is str and _DIGITS.fullmatch(value)):
        value = int(value)
    return value if type(value) is int and 0 <= value <= MOST_TOKENS else None


def number_read(value: Any) -> float | None:
    """A measured number, from a number or its decimal text; None for anything else, NaN and infinity."""
    if type(value) is str and _DECIMAL.fullmatch(value):
        value = float(value)
    if type(value) not in (int, float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def seconds_read(value: Any) -> float | None:
    """A duration in seconds: a number as of `number_read`, 0 to 10^9; None for anything else."""
    seconds = number_read(value)
    return seconds if seconds is not None and 0 <= seconds <= MOST_SECONDS else None


def cost_read(value: Any) -> Decimal | None:
    """An amount of money, exactly as written; None for what is none, negative, 10^12 or more, or beyond 24 places."""
    amount = _decimal(value)
    if amount is None or not amount.is_finite() or not 0 <= amount < MOST_COST:
        return None
    if amount == 0:
        return Decimal(0)
    return amount if amount == amount.quantize(_SMALLEST_COST) else None


def _decimal(value: Any) -> Decimal | None:
    if type(value) is Decimal:
        return value
    if type(value) is int or type(value) is float:
        return Decimal(repr(value))
    if type(value) is str and _DECIMAL.fullmatch(value.strip()):
        return Decimal(value.strip())
    return None


def exact_number(line: bytes, key: str) -> Any:
    """The value of `key` at the top of the JSON object `line`, with a number as the Decimal that was written.

    A float holds a cost only to 17 digits; money is taken from the text.
    """
    written = _written_once(line, key)
    if written is not None:
        return written
    try:
        found = json.loads(line, parse_float=Decimal, parse_constant=_nothing)
    except (ValueError, InvalidOperation, RecursionError):
        return None
    return found.get(key) if type(found) is dict else None


def _written_once(line: bytes, key: str) -> Decimal | None:
    """The number that stands in the line's one place where the key does; None where that takes a look at the whole."""
    name = b'"%b"' % key.encode()
    before, _name, behind = line.partition(name)
    found = _NUMBER.match(behind)
    if found is None or b"\\" in line or name in behind or not before.rstrip().endswith((b"{", b",")):
        return None
    return Decimal(found[1].decode())


def _nothing(name: str) -> None:
    """NaN and the infinities are no numbers."""
