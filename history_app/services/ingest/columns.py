"""How a Python value stands in a row: towards each database, and back from it to be compared."""

import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from django.db import models

from config.shared.fields import EXACT, ExactDecimalField

Row = tuple[Any, ...]


_ADAPTED: dict[type, Callable[[Any], Any]] = {
    datetime: lambda value: str(value.replace(tzinfo=None)),
    Decimal: lambda value: format(value, "f"),
}


def adapted(value: Any) -> Any:
    """Return the value as SQLite and MariaDB store it: times as text without an offset, amounts as digits."""
    adapt = _ADAPTED.get(type(value))
    return value if adapt is None else adapt(value)


def _time_read(value: Any) -> datetime:
    moment = datetime.fromisoformat(value) if isinstance(value, str) else value
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def reader(field: "models.Field[Any, Any]") -> Callable[[Any], Any] | None:
    """Return how a stored value of the field is read back into the form that drafts have; None: as it is."""
    if isinstance(field, models.DateTimeField):
        return _time_read
    if isinstance(field, ExactDecimalField):
        return lambda value: Decimal(str(value)).normalize(EXACT)
    return None


def rows_read(model: type[models.Model], columns: Sequence[str], rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Return rows of a raw cursor as dictionaries in the form that drafts have."""
    readers = [reader(_field(model, column)) for column in columns]
    return [
        {
            column: value if value is None or read is None else read(value)
            for column, read, value in zip(columns, readers, row, strict=True)
        }
        for row in rows
    ]


def _field(model: type[models.Model], column: str) -> "models.Field[Any, Any]":
    return next(field for field in model._meta.concrete_fields if field.column == column)


def same_json(one: str | None, other: str | None) -> bool:
    """Return whether two JSON texts say the same, whoever wrote them: spaces and the order of keys do not count."""
    if one == other or one is None or other is None:
        return one == other
    return json.dumps(json.loads(one), sort_keys=True) == json.dumps(json.loads(other), sort_keys=True)
