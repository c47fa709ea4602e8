"""Steps: a period of local days cut into the days, or when it is long the months, that a chart shows."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta, tzinfo

from analytics_app.selectors.periods import day_start, next_month

# A longer period is shown by months: more bars than that nobody tells apart.
MOST_DAYS_SHOWN = 92


@dataclass(frozen=True, slots=True)
class Steps:
    """The days from `first` to `last` (both included) in a zone, as steps of a day or a month."""

    first: date
    last: date
    zone: tzinfo

    @property
    def by_day(self) -> bool:
        """Whether a step is a day."""
        return (self.last - self.first).days < MOST_DAYS_SHOWN

    @property
    def begins(self) -> list[date]:
        """The first day of each step; the first month may have begun before the period."""
        begins = [self.first]
        while (following := self._following(begins[-1])) <= self.last:
            begins.append(following)
        return begins

    @property
    def bounds(self) -> list[datetime]:
        """The moments at which the steps begin, and the one at which the last of them ends."""
        return [day_start(day, self.zone) for day in (*self.begins, self.last + timedelta(days=1))]

    @property
    def names(self) -> list[str]:
        """What the steps are called: 2026-03-14, or 2026-03."""
        return [f"{day:%Y-%m-%d}" if self.by_day else f"{day:%Y-%m}" for day in self.begins]

    def _following(self, day: date) -> date:
        return day + timedelta(days=1) if self.by_day else next_month(day)
