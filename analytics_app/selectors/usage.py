"""Token usage of periods, right to the last record: closed hours and days from roll-ups, everything else from facts.

A figure is what the roll-ups say of all uses up to their watermark, plus the facts behind it. Hours in which something
was changed afterwards, and hours that a period cuts in two, are read from the facts.
"""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any

from django.db.models import Case, Q, Value, When

from analytics_app.models.rollups import Grain, UsageSums
from analytics_app.selectors.periods import Coverage, coverage
from analytics_app.selectors.placing import Placed, groups_of, place_within, placed
from analytics_app.selectors.rollup_rows import Group, RollupMoment, Wanted, rolled_days, rollup_moment, tail_ends
from analytics_app.selectors.usage_groups import SUMS, fact_sums, rollup_sums
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
    wanted = Wanted(model=model, projects=projects, names=names, sums=sums)
    for _attempt in range(ATTEMPTS):
        before = rollup_moment(projects, bounds)
        found = _Reading(wanted, bounds, before).found()
        if rollup_moment(projects, bounds) == before:
            return found
    raise Unavailable("The figures are being rolled up; please try again.", retry_after=1)


class _Reading:
    """One reading of the figures at one state of the roll-ups."""

    def __init__(self, wanted: Wanted, bounds: Sequence[datetime], moment: RollupMoment) -> None:
        self.wanted, self.bounds, self.moment = wanted, bounds, moment
        self.projects = Q() if wanted.projects is None else Q(project_id__in=wanted.projects)
        self.covered: Coverage = coverage(bounds, set(moment.changed))
        self.totals: Found = {}

    def found(self) -> Found:
        """Return all figures."""
        if self.covered.days:
            self._add(rolled_days(self.wanted, self.covered.days, self.bounds))
        if self.covered.hours:
            hours = self.wanted.model.objects.filter(self.projects, grain=Grain.HOUR)
            self._add_placed(placed(hours, "start", self.covered.hours, self.bounds), rollup_sums())
        if self.covered.facts:
            facts = TokenUsage.objects.filter(self.projects, pk__lte=self.moment.watermark)
            self._add_placed(placed(facts, "timestamp", self.covered.facts, self.bounds), fact_sums())
        self._add_tail()
        return self.totals

    def _add_tail(self) -> None:
        """Add the facts behind the watermark.

        Which of them count is said in the bucket and not in the WHERE clause: the few rows of the tail are found by
        their ids, and no planner is led to walk the index by time instead.
        """
        ends = tail_ends(self.moment.watermark)
        if ends is None or ends[0] >= self.bounds[-1] or ends[1] < self.bounds[0]:
            return
        meant = self.projects & Q(timestamp__gte=self.bounds[0], timestamp__lt=self.bounds[-1])
        place = Case(When(meant, then=place_within("timestamp", [ends], self.bounds)), default=Value(_ELSEWHERE))
        tail = TokenUsage.objects.filter(pk__gt=self.moment.watermark).annotate(place=place)
        self._add_placed(Placed(tail), fact_sums())

    def _add_placed(self, rows: Placed, sums: dict[str, Any]) -> None:
        self._add(group for group in groups_of(self.wanted, rows, sums) if group[0] != _ELSEWHERE)

    def _add(self, groups: Iterable[Group]) -> None:
        sums, totals = self.wanted.sums, self.totals
        for place, names, summed in groups:
            # Sums over no rows at all are a row too.
            if any(summed):
                total = totals.get((place, names))
                totals[place, names] = dict(zip(sums, summed, strict=True)) if total is None else added(total, summed)


def added(total: dict[str, Any], sums: Iterable[Any]) -> dict[str, Any]:
    """Return sums by name, added to a total of the same sums."""
    pairs = zip(total.items(), sums, strict=True)
    return {name: EXACT.add(one, other) if name == "cost" else one + other for (name, one), other in pairs}
