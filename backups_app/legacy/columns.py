"""Reads the columns of a row: texts, JSON in texts, times and words; what cannot stand is kept as found."""

import hashlib
import json
import math
import sys
from collections.abc import Collection, Mapping
from contextlib import suppress
from datetime import datetime
from typing import Any

from backups_app.legacy.fields import AS_FOUND, NAME_LENGTH, Taking
from backups_app.legacy.json_exact import EXPLAINED, TEXT_REPLACED, BadJSON, parse_json
from backups_app.legacy.secrets import split_secrets
from backups_app.legacy.sqlite_copy import Row
from backups_app.legacy.times import time_read
from backups_app.legacy.types import RAW_LIMIT, Finding, Level, Place, Reading, raw_text
from config.shared.text import Replaced, clean_text

NOT_JSON = "not_json"
TIMES = ("created_at", "updated_at")


class RowTaking(Taking, kw_only=True):
    """One row being taken. `data` is the row as SQLite gave it, `raw` as every database can store it."""

    data: Row
    reading: Reading

    def json(self, key: str) -> Any:
        """The JSON value of a text column. A text that is none comes in as the text that it is."""
        value, fault = self._parsed(key)
        if fault:
            self.repairs.append((NOT_JSON, f"{key}: {fault}; it comes in as text"))
        return value

    def document(self, key: str) -> dict[str, Any]:
        """The JSON object of a text column; anything else is kept as found, and stands for an empty one."""
        value, fault = self._parsed(key)
        if type(value) is dict:
            return value
        if value is not None:
            self.repair(key, "no_object", f"{fault or 'no JSON object'}; kept as found")
        return {}

    def _parsed(self, key: str) -> tuple[Any, str]:
        """The value of a JSON column, or its text and why it is no JSON."""
        value = self.data.get(key)
        if not isinstance(value, str | bytes):
            return self.raw.get(key), ""
        if not value:
            self.repairs.append((NOT_JSON, f"{key}: empty where JSON is expected, taken as null"))
            return None, ""
        try:
            parsed = parse_json(as_bytes(value), self.reading.limits.depth)
        except BadJSON as error:
            return self.raw[key], str(error)
        if len(parsed.values) > 1 or parsed.rest:
            return self.raw[key], "more than one JSON value"
        for code in parsed.repairs:
            self.repair(key, code, EXPLAINED[code])
        return parsed.values[0], ""

    def required(self, key: str, default: str, length: int = NAME_LENGTH) -> str:
        """A short text that must not be empty."""
        found = self.name(key, length=length)
        if not found:
            self.repairs.append(("empty", f"{key}: empty; {default!r} stands in"))
        return found or default

    def long_text(self, key: str) -> str:
        """A text of any length; a number is its digits."""
        value = self.raw.get(key)
        return str(value) if type(value) in (int, float) else self.text(key)

    def moment(self, key: str) -> datetime | None:
        """The time in a column; what is none is kept as found."""
        value = self.raw.get(key)
        found = time_read(value, self.reading.zone)
        if found is None and value is not None:
            self.repair(key, "time", f"{value!r:.100} is no time")
        return found

    def word(self, key: str, known: Mapping[str, str], default: str) -> str:
        """One of a few words. `known` maps those of the source to ours; what is none of them is `default`."""
        value = self.raw.get(key)
        if type(value) is str and known.get(value) == value:
            return value
        found = known.get(value.strip().lower(), default) if type(value) is str else default
        self.repair(key, key, f"{value!r:.100} is taken as {found}")
        return found

    def tell(self, *, quoted: bool = True) -> None:
        """Report every repair, with the row as it was found unless that may hold what must not be told."""
        raw = raw_text(json.dumps(_masked(self.raw), ensure_ascii=False)) if quoted and self.repairs else None
        for code, detail in self.repairs:
            self.reading.report(Finding(Level.REPAIRED, code, self.place, detail, self.kind, raw))

    @property
    def size(self) -> int:
        """How many bytes the texts of the row take in memory."""
        return sum(sys.getsizeof(value) for value in self.data.values() if isinstance(value, str | bytes))


def row_taking(row: Row, kind: str, place: Place, reading: Reading) -> RowTaking:
    """The row with its values as texts and numbers; bytes, NUL and broken UTF-8 are kept in hexadecimal as well."""
    taking = RowTaking({}, {}, kind, place, data=row, reading=reading)
    for key, value in row.items():
        if type(value) is float and not math.isfinite(value):
            taking.raw[key] = repr(value)
        elif isinstance(value, str | bytes):
            taking.raw[key], is_whole = _text(value)
            if not is_whole:
                taking.metadata.setdefault(AS_FOUND, {})[f"{key}_hex"] = as_bytes(value).hex()
                taking.repairs.append((TEXT_REPLACED, f"{key}: NUL, or what is not UTF-8 text, became U+FFFD"))
        else:
            taking.raw[key] = value
    return taking


def _text(value: str | bytes) -> tuple[str, bool]:
    """A text as every database can store it, and whether it is what stood in the file."""
    text = value if isinstance(value, str) else value.decode("utf-8", "surrogateescape")
    replaced = Replaced()
    return clean_text(text, replaced), not replaced


def as_bytes(value: str | bytes) -> bytes:
    """The bytes of a text as they stand in the file."""
    return value if isinstance(value, bytes) else value.encode("utf-8", "surrogateescape")


def row_hash(taking: RowTaking, columns: Collection[str] | None = None) -> str:
    """What tells a row (or some of its columns) from others where its id does not; secrets leave no trace in it."""
    raw = {key: value for key, value in taking.raw.items() if columns is None or key in columns}
    return hashlib.sha256(json.dumps(_masked(raw), sort_keys=True).encode()).hexdigest()[:16]


def _masked(raw: Row) -> Row:
    """The row without its secrets, also those inside JSON. Of a value that is too long to be quoted, how long it is."""
    told: Row = {}
    for key, value in raw.items():
        if type(value) is str and len(value) > RAW_LIMIT:
            told[key] = f"({len(value)} characters)"
            continue
        inner = value
        if type(value) is str and value[:1] in ("{", "["):
            with suppress(BadJSON):
                inner = parse_json(value.encode(), 64).values
        masked, secrets = split_secrets(inner, key)
        told[key] = masked if secrets else value
    return told
