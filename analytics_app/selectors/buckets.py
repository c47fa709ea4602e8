"""Buckets: in which of several neighbouring periods a time lies, told by the database."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db.models import Case, IntegerField, Value, When


def bucket(column: str, bounds: Sequence[datetime], first: int = 0) -> Any:
    """Return the place of the period that a time lies in, found by halving; the time lies within the bounds."""
    if len(bounds) == 2:  # noqa: PLR2004 - the two ends of one period
        return Value(first, output_field=IntegerField())
    middle = len(bounds) // 2
    earlier = When(**{f"{column}__lt": bounds[middle]}, then=bucket(column, bounds[: middle + 1], first))
    return Case(earlier, default=bucket(column, bounds[middle:], first + middle), output_field=IntegerField())
