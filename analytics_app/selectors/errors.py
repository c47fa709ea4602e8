"""Errors of a period: how grave they were in each part of it, and of which types they were."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db.models import Count, QuerySet

from analytics_app.selectors.buckets import bucket
from config.shared.callers import Caller
from history_app.models import ErrorRecord


def errors_by_severity(*, caller: Caller, bounds: Sequence[datetime]) -> dict[tuple[int, str], int]:
    """Return how many errors there were, by (place of the period between the bounds, severity)."""
    rows = _errors(caller, bounds).annotate(place=bucket("timestamp", bounds))
    grouped = rows.values_list("place", "severity").annotate(count=Count("pk"))
    return {(place, severity): count for place, severity, count in grouped}


def error_types(*, caller: Caller, bounds: Sequence[datetime], top: int) -> list[tuple[str, int]]:
    """Return the most frequent types of error between the first and the last bound, with their numbers."""
    grouped = _errors(caller, bounds).values_list("error_type").annotate(count=Count("pk"))
    return [(name, count) for name, count in grouped.order_by("-count", "error_type")[:top]]


def _errors(caller: Caller, bounds: Sequence[datetime]) -> QuerySet[Any]:
    rows = ErrorRecord.objects.visible_to(caller)
    found: QuerySet[Any] = rows.filter(timestamp__gte=bounds[0], timestamp__lt=bounds[-1]).order_by()
    return found
