"""Token usage of periods, right to the last record: closed hours and days from roll-ups, everything else from facts.

A figure is what the roll-ups say of all uses up to their watermark, plus the facts behind it. Hours in which something
was changed afterwards, and hours that a period cuts in two, are read from the facts.
"""

from bisect import bisect_right
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any

from django.db.models import Case, Max, Min, Q, QuerySet, Value, When

from analytics_app.models.rollups import Grain, UsageSums
from analytics_app.selectors.buckets import bucket
from analytics_app.selectors.periods import Coverage, Span, coverage
from analytics_app.selectors.rollup_rows import RollupMoment, rolled_days, rollup_moment
from analytics_app.selectors.usage_groups import NONE, SUMS, fact_sums, rollup_sums
from config.shared.errors import Unavailable
from config.shared.fields import EXACT
from history_app.models import TokenUsage

ATTEMPTS = 10
# No bucket: the row is behind the watermark, but not of the periods or the projects that are asked for.
_ELSEWHERE = -1
Key = tuple[int, tuple[str, ...]]
Found = dict[Key, dict[str, Any]]


def usage_of_periods(
    *,
    projects: Collection[int] | None,
    bounds: Sequence[datetime],
    model: type[UsageSums],
    names: tuple[str, ...],
    sums: tuple[str, ...] = SUMS,
) -> Found:
    """Return what was used in each of the periods between the bounds, by some of the model's names.

    The result has (place of the period, names) as keys, and the wanted ones of SUMS as values; where these are 0 there
    is no key. `projects` None means all. A fixed number of queries, unless the roll-ups move on meanwhile. Raises
    Unavailable when they keep moving.
    """
    for _attempt in range(ATTEMPTS):
        before = rollup_moment(projects, bounds)
        found = _Reading(projects=projects, bounds=bounds, model=model, names=names, sums=sums, moment=before).found()
        if rollup_moment(projects, bounds) == before:
            return found
    raise Unavailable("The figures are being rolled up; please try again.", retry_after=1)


def _of(projects: Collection[int] | None) -> Q:
    return Q() if projects is None else Q(project_id__in=projects)


class _Reading:
    """One reading of the figures at one state of the roll-ups."""

    def __init__(
        self,
        *,
        projects: Collection[int] | None,
        bounds: Sequence[datetime],
        model: type[UsageSums],
        names: tuple[str, ...],
        sums: tuple[str, ...],
        moment: RollupMoment,
    ) -> None:
        self.bounds, self.model, self.names, self.moment = bounds, model, names, moment
        self.sums, self.columns = sums, tuple(f"summed_{name}" for name in sums)
        self.asked, self.projects = projects, _of(projects)
        self.covered: Coverage = coverage(bounds, set(moment.changed))
        self.totals: Found = {}

    def found(self) -> Found:
        """Return all figures."""
        if self.covered.days:
            self._add_days()
        if self.covered.hours:
            rows = self.model.objects.filter(self.projects, _within("start", self.covered.hours), grain=Grain.HOUR)
            self._add(rows, self._parted("start", self.covered.hours), rollup_sums())
        if self.covered.facts:
            facts = TokenUsage.objects.filter(self.projects, pk__lte=self.moment.watermark)
            rows = facts.filter(_within("timestamp", self.covered.facts))
            self._add(rows, self._parted("timestamp", self.covered.facts), fact_sums())
        self._add_tail()
        return self.totals

    def _add_days(self) -> None:
        """Add rolled-up days. They lie within one period each, so Python finds it: no long expression is compiled."""
        days = rolled_days(self.model, projects=self.asked, spans=self.covered.days, names=self.names, sums=self.sums)
        for start, names, summed in days:
            if any(summed):
                key = (bisect_right(self.bounds, start) - 1, names)
                self.totals[key] = self._plus(self.totals.get(key), summed)

    def _add_tail(self) -> None:
        """Add the facts behind the watermark.

        Which of them count is said in the bucket and not in the WHERE clause: the few rows of the tail are found by
        their ids, and no planner is led to walk the index by time instead.
        """
        tail = TokenUsage.objects.filter(pk__gt=self.moment.watermark).order_by()
        ends = tail.aggregate(first=Min("timestamp"), last=Max("timestamp"))
        if ends["first"] is None or ends["first"] >= self.bounds[-1] or ends["last"] < self.bounds[0]:
            return
        place = self._parted("timestamp", [(ends["first"], ends["last"])])
        meant = self.projects & Q(timestamp__gte=self.bounds[0], timestamp__lt=self.bounds[-1])
        self._add(tail, Case(When(meant, then=place), default=Value(_ELSEWHERE)), fact_sums())

    def _parted(self, column: str, spans: Sequence[Span]) -> Any:
        """Return the period of a time within the spans: only the bounds between their ends are told apart."""
        first = max(bisect_right(self.bounds, spans[0][0]) - 1, 0)
        last = min(bisect_right(self.bounds, spans[-1][1]), len(self.bounds) - 1)
        return bucket(column, self.bounds[first : last + 1], first)

    def _add(self, rows: QuerySet[Any], place: Any, sums: dict[str, Any]) -> None:
        for at, *rest in self._grouped(rows.annotate(bucket=place), "bucket", sums):
            # Sums over no rows at all are a row too.
            if at != _ELSEWHERE:
                self._count(at, rest)

    def _grouped(self, rows: QuerySet[Any], by: str, sums: dict[str, Any]) -> QuerySet[Any]:
        wanted = {column: sums[column] for column in self.columns}
        grouped = rows.order_by().values(by, *self.names).annotate(**wanted)
        found: QuerySet[Any] = grouped.values_list(by, *self.names, *self.columns)
        return found

    def _count(self, place: int, values: Sequence[Any]) -> None:
        """Add names and sums of one group to a period."""
        width = len(self.names)
        summed = [value or NONE[name] for name, value in zip(self.sums, values[width:], strict=True)]
        if any(summed):
            key = (place, tuple(values[:width]))
            self.totals[key] = self._plus(self.totals.get(key), summed)

    def _plus(self, total: dict[str, Any] | None, summed: Iterable[Any]) -> dict[str, Any]:
        return dict(zip(self.sums, summed, strict=True)) if total is None else added(total, summed)


def added(total: dict[str, Any], sums: Iterable[Any]) -> dict[str, Any]:
    """Return sums by name, added to a total of the same sums."""
    pairs = zip(total.items(), sums, strict=True)
    return {name: EXACT.add(one, other) if name == "cost" else one + other for (name, one), other in pairs}


def _within(column: str, spans: Sequence[Span]) -> Q:
    condition = Q()
    for start, end in spans:
        condition |= Q(**{f"{column}__gte": start, f"{column}__lt": end})
    return condition
