"""Percentiles by nearest rank, computed the same way on every database: by places, in whole numbers.

The p-th percentile of n values in order is the one at place ceil(p * n / 100): always a value that was measured.
"""

from collections import defaultdict
from typing import Any

from django.db.models import Count, F, Q, QuerySet, Window
from django.db.models.functions import RowNumber

PERCENTS = (50, 95, 99)
NO_PERCENTILES = dict.fromkeys(("p50", "p95", "p99"))


def percentiles(rows: QuerySet[Any], column: str, by: str | None = None) -> dict[Any, dict[str, Any]]:
    """Return `p50`, `p95` and `p99` of a column for each value of the column `by`, or for all rows under None.

    Empty values do not count; where there are no others, there is no entry. One query, one sort, three rows a group.
    """
    group = [F(by)] if by else None
    placed = rows.exclude(**{f"{column}__isnull": True}).annotate(
        place=Window(RowNumber(), partition_by=group, order_by=column),
        size=Window(Count("pk"), partition_by=group),
    )
    wanted = Q()
    for percent in PERCENTS:
        wanted |= Q(place__gte=F("size") * percent / 100.0, place__lt=F("size") * percent / 100.0 + 1)
    found: defaultdict[Any, dict[str, Any]] = defaultdict(dict)
    for row in placed.filter(wanted).order_by().values("place", "size", column, *([by] if by else [])):
        for percent in PERCENTS:
            if row["place"] == _place(percent, row["size"]):
                found[row[by] if by else None][f"p{percent}"] = row[column]
    return dict(found)


def _place(percent: int, size: int) -> int:
    return -(-percent * size // 100)
