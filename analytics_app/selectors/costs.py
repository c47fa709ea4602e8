"""Costs of a period, cut by model, user, day or session."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from itertools import pairwise
from typing import Any

from analytics_app.models import ModelUsage, UserUsage
from analytics_app.selectors.periods import day_start
from analytics_app.selectors.tokens import NOTHING, Asked, Figures
from analytics_app.selectors.usage import added, usage_of_periods
from analytics_app.selectors.usage_groups import SUM_COLUMNS, SUMS, fact_sums, sums_of
from history_app.models import TokenUsage

MOST_GROUPS = 1000


def costs(asked: Asked, *, by: str, start: datetime, end: datetime) -> dict[str, Any]:
    """Return what a period cost, in all and by model, user, day (in the asked zone) or session.

    Groups come with the dearest first (days in their order), MOST_GROUPS at the most. `unpriced` counts the uses whose
    cost nobody knows; they add nothing.
    """
    groups = _CUTS[by](asked, start, end)
    total = dict(NOTHING)
    for group in groups:
        total = added(total, (group[name] for name in SUMS))
    if by != "day":
        groups.sort(key=lambda group: (-group["cost"], -group["total_tokens"], str(group[_NAMES[by][0]])))
    return {"start": start, "end": end, "by": by, "total": total, "groups": groups[:MOST_GROUPS]}


def _by_model(asked: Asked, start: datetime, end: datetime) -> list[Figures]:
    return _named(asked, [start, end], ModelUsage, ("model", "provider"))


def _by_user(asked: Asked, start: datetime, end: datetime) -> list[Figures]:
    return _named(asked, [start, end], UserUsage, ("user_id",))


def _named(asked: Asked, bounds: Sequence[datetime], model: Any, names: tuple[str, ...]) -> list[Figures]:
    found = usage_of_periods(projects=asked.projects, bounds=bounds, model=model, names=names)
    return [{**dict(zip(names, values, strict=True)), **sums} for (_place, values), sums in found.items()]


def _by_day(asked: Asked, start: datetime, end: datetime) -> list[Figures]:
    days = _days(asked, start, end)
    inner = [day_start(day, asked.zone) for day in days[1:]]
    bounds = [start, *inner, end]
    found = usage_of_periods(projects=asked.projects, bounds=bounds, model=ModelUsage, names=())
    return [
        {"date": day, **found.get((place, ()), NOTHING)}
        for place, (day, _bounds) in enumerate(zip(days, pairwise(bounds), strict=True))
    ]


def _days(asked: Asked, start: datetime, end: datetime) -> list[date]:
    """Return the local days that the period touches."""
    first = start.astimezone(asked.zone).date()
    last = (end - timedelta(microseconds=1)).astimezone(asked.zone).date()
    return [first + timedelta(days=place) for place in range((last - first).days + 1)]


def _by_session(asked: Asked, start: datetime, end: datetime) -> list[Figures]:
    """Sessions are too many for a roll-up of their own: they are summed from the facts of the period.

    Two projects may have a session of the same id; they stay two.
    """
    rows = TokenUsage.objects.filter(timestamp__gte=start, timestamp__lt=end).order_by()
    if asked.projects is not None:
        rows = rows.filter(project_id__in=asked.projects)
    grouped = rows.values("session", "session__session_id").annotate(**fact_sums())
    found = grouped.values_list("session__session_id", *SUM_COLUMNS)
    return [
        {"session_id": session, **dict(zip(SUMS, sums_of(sums), strict=True))} for session, *sums in found.iterator()
    ]


_CUTS = {"model": _by_model, "user": _by_user, "day": _by_day, "session": _by_session}
_NAMES = {"model": ("model", "provider"), "user": ("user_id",), "day": ("date",), "session": ("session_id",)}
CUTS = tuple(_CUTS)
