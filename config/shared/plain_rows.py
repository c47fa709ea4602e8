"""Rows read by SQL that is written once, in the form of every database: their columns, times and documents."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from django.db import connection
from django.db.models import DateTimeField, Model
from django.utils.dateparse import parse_datetime
from orjson import Fragment

from config.shared.fields import JSONTextField

Row = dict[str, Any]
Document = Callable[[str], Any]

_EXPONENT = re.compile(r"\de[+-]")


class Columns:
    """Columns of one model under an alias: how a statement names them, and how what it read is shown.

    `names` are shown; what is in `also` is read with them, for whoever asks.
    """

    def __init__(self, model: type[Model], alias: str, names: Sequence[str], also: Sequence[str] = ()) -> None:
        self.names, self._read = tuple(names), (*names, *also)
        fields: dict[str, Any] = {name: model._meta.get_field(name) for name in self._read}
        self.sql = ", ".join(f"{alias}.{field.column}" for field in fields.values())
        self.source = f"{model._meta.db_table} {alias}"
        self._documents = [(name, fields[name]) for name in names if isinstance(fields[name], JSONTextField)]
        self._times = [name for name in names if isinstance(fields[name], DateTimeField)]

    def __len__(self) -> int:
        return len(self._read)

    def row(self, values: Sequence[Any]) -> Row:
        """Return the values by name as the driver gave them: documents are their text."""
        return dict(zip(self._read, values, strict=True))

    def shown(self, row: Mapping[str, Any], document: Document) -> Row:
        """Return the columns that are shown: times in UTC, each document as `document` makes it of its text."""
        found = {name: row[name] for name in self.names}
        for name, field in self._documents:
            text = found[name]
            found[name] = field.get_default() if text is None else document(text)
        for name in self._times:
            found[name] = moment(found[name])
        return found


def fetched(statement: str, parameters: Sequence[Any]) -> list[Any]:
    """Return all rows of a statement."""
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return list(cursor.fetchall())


def marks(values: Sequence[Any]) -> str:
    """Return the placeholders of a list of values."""
    return ", ".join(["%s"] * len(values))


def moment(value: Any) -> Any:
    """Return a time as the drivers give it (text on SQLite, without a zone on MariaDB) in UTC."""
    found = parse_datetime(value) if isinstance(value, str) else value
    return found.replace(tzinfo=UTC) if isinstance(found, datetime) and found.tzinfo is None else found


def parsed(text: str) -> Any:
    """Return the value of a stored document, for Python."""
    return json.loads(text)


def passed_on(text: str) -> Any:
    """Return a stored document for an answer: its text goes out as it is, neither parsed nor written anew.

    Numbers with an exponent are written in one way, however they were stored; so such a document is parsed.
    """
    has_exponent = ("e-" in text or "e+" in text) and _EXPONENT.search(text)
    return json.loads(text) if has_exponent else Fragment(text)


def stated(text: str | None, key: str) -> Any:
    """Return what a stored object says under a key, or None; the text is parsed only where the key may be in it."""
    if text is None or f'"{key}"' not in text:
        return None
    document = json.loads(text)
    return document.get(key) if isinstance(document, dict) else None


def is_empty(text: str | None) -> bool:
    """Return whether a stored document is null, false, zero, or has nothing in it."""
    # Only short texts may be; of long ones nothing needs to be known.
    return text is None or (len(text) < len("[false]") and not json.loads(text))
