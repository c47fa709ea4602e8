"""How long models took to answer, in each part of a period; of very many calls an even sample is looked at."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import F

from config.shared.callers import Caller
from history_app.models import LLMCall

# So many calls are all looked at. Sorting more would take longer than anybody waits for a page.
MOST_CALLS = 10_000


@dataclass(frozen=True, slots=True)
class Times:
    """The response times (seconds) of some calls: how many were looked at, percentiles by nearest rank, the longest."""

    count: int
    p50: float
    p95: float
    longest: float

    @classmethod
    def of(cls, seconds: Sequence[float]) -> "Times":
        """Return the figures of at least one time."""
        placed = sorted(seconds)
        p50, p95 = (placed[-(-percent * len(placed) // 100) - 1] for percent in (50, 95))
        return cls(len(placed), p50, p95, placed[-1])


@dataclass(frozen=True, slots=True)
class ResponseTimes:
    """The times of the whole period and of its parts (None where nothing was measured); one call in `step` counted."""

    whole: Times | None
    parts: list[Times | None]
    step: int


def response_times(*, caller: Caller, bounds: Sequence[datetime]) -> ResponseTimes:
    """Return the response times of the calls in each of the periods between the bounds.

    Where there are more than MOST_CALLS calls, one in `step` of them by their ids is looked at: counting and choosing
    read an index alone, and memory stays the same however many there are.
    """
    rows = LLMCall.objects.filter(timestamp__gte=bounds[0], timestamp__lt=bounds[-1]).order_by()
    if caller.project_ids is not None:
        rows = rows.filter(project_id__in=caller.project_ids)
    step = max(-(-rows.count() // MOST_CALLS), 1)
    if step > 1:
        chosen = rows.annotate(rest=F("pk") % step).filter(rest=0).values("pk")
        rows = LLMCall.objects.filter(pk__in=chosen).order_by()
    measured = rows.visible_to(caller).filter(response_time__isnull=False).values_list("timestamp", "response_time")
    parts: list[list[float]] = [[] for _ in bounds[1:]]
    for timestamp, seconds in measured.iterator():
        parts[bisect_right(bounds, timestamp) - 1].append(seconds)
    return ResponseTimes(_times([each for part in parts for each in part]), [_times(part) for part in parts], step)


def _times(seconds: Sequence[Any]) -> Times | None:
    return Times.of(seconds) if seconds else None
