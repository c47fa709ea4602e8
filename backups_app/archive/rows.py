"""Rows as lines: one canonical form a value, equal on every database, and a checksum over lines in any order."""

import base64
import binascii
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from hashlib import sha256
from typing import Annotated, Any

import msgspec

from backups_app.archive.manifest import Column, Kind
from config.shared.fields import amount_text

Row = Sequence[Any]
_MODULUS = 1 << 256
_ENCODER = msgspec.json.Encoder()
_INT = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
_TIME = Annotated[str, msgspec.Meta(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{6})?Z$")]
_DECIMAL = Annotated[str, msgspec.Meta(pattern=r"^-?[0-9]+(\.[0-9]+)?$")]
_TYPES: dict[str, Any] = {
    "int": _INT, "text": str, "json": str, "bool": bool, "time": _TIME, "float": float, "decimal": _DECIMAL,
    "bytes": str,
}  # fmt: skip


class RowRefused(ValueError):
    """A line that is no row of its table."""


def time_canonical(value: Any) -> Any:
    """Return a time in UTC as the encoder writes it, whether a driver gave it with a zone, without one, or as text."""
    moment = datetime.fromisoformat(value) if isinstance(value, str) else value
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def decimal_canonical(value: Any) -> str:
    """Return an amount with neither an exponent nor zeros at its end."""
    text = amount_text(value if isinstance(value, Decimal) else Decimal(str(value)))
    return "0" if text == "-0" else text


def float_canonical(value: Any) -> float:
    """Return the number; there is no negative zero, which SQLite does not keep."""
    return float(value) + 0.0


_CANONICAL: dict[Kind, Callable[[Any], Any]] = {
    "time": time_canonical,
    "decimal": decimal_canonical,
    "float": float_canonical,
    "bool": bool,
}


def converters(columns: Sequence[Column], already: Iterable[Kind] = ()) -> list[tuple[int, Callable[[Any], Any]]]:
    """Return which columns of a driver's rows have to be converted and how; `already` are kinds that come canonical."""
    left = set(already)
    return [
        (index, _CANONICAL[column.kind])
        for index, column in enumerate(columns)
        if column.kind in _CANONICAL and column.kind not in left
    ]


def rows_canonical(rows: Sequence[Row], convert: Sequence[tuple[int, Callable[[Any], Any]]]) -> Sequence[Row]:
    """Return the rows with their values as the encoder takes them."""
    if not convert:
        return rows
    made = [list(row) for row in rows]
    for index, function in convert:
        for row in made:
            value = row[index]
            if value is not None:
                row[index] = function(value)
    return made


def lines_made(rows: Sequence[Row]) -> bytes:
    """Return canonical rows as lines, each a JSON array with a line's end behind it."""
    return _ENCODER.encode_lines(rows)


def checksum_of(lines: bytes) -> int:
    """Return the sum of the digests of the lines, each without its end."""
    # JSON escapes the ends of lines within texts, so that these are all there are.
    each = lines.split(b"\n")
    if not each[-1]:
        each.pop()
    return sum([int.from_bytes(sha256(line).digest(), "big") for line in each]) % _MODULUS


def checksum_added(one: int, other: int) -> int:
    """Return the checksum of two sets of rows together."""
    return (one + other) % _MODULUS


def checksum_text(checksum: int) -> str:
    """Return a checksum as it stands in a manifest."""
    return f"{checksum:064x}"


class LineReader:
    """Turns the lines of a table back into rows, each value of the kind that its column has."""

    def __init__(self, columns: Sequence[Column]) -> None:
        kinds = tuple(_TYPES[column.kind] | None for column in columns)
        self._decoder = msgspec.json.Decoder(tuple[kinds])  # type: ignore[valid-type]
        self._bytes = [index for index, column in enumerate(columns) if column.kind == "bytes"]

    def rows(self, lines: bytes) -> list[tuple[Any, ...]]:
        """Return the rows of these lines; times and amounts stay texts. Raises RowRefused."""
        try:
            found: list[tuple[Any, ...]] = self._decoder.decode_lines(lines)
            return [self._with_bytes(row) for row in found] if self._bytes else found
        except (msgspec.DecodeError, UnicodeDecodeError, binascii.Error) as error:
            raise RowRefused(str(error)) from error

    def _with_bytes(self, row: tuple[Any, ...]) -> tuple[Any, ...]:
        made = list(row)
        for index in self._bytes:
            if made[index] is not None:
                made[index] = base64.b64decode(made[index], validate=True)
        return tuple(made)
