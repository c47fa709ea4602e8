"""Periods: local days and months as moments in UTC, and which parts of them roll-ups can answer."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from itertools import pairwise

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
Span = tuple[datetime, datetime]
_MIDNIGHT = time()


def day_start(day: date, zone: tzinfo) -> datetime:
    """Return the moment in UTC at which a day begins in a zone."""
    return datetime.combine(day, time(), zone).astimezone(UTC)


def day_bounds(first: date, days: int, zone: tzinfo) -> list[datetime]:
    """Return the moments at which `days` days from `first` on begin, and the one at which the last of them ends."""
    return [day_start(first + timedelta(days=place), zone) for place in range(days + 1)]


def month_bounds(last: date, months: int, zone: tzinfo) -> list[datetime]:
    """Return the moments at which `months` months up to that of `last` begin, and the one at which it ends."""
    return [day_start(month, zone) for month in (*months_until(last, months), next_month(last))]


def months_until(last: date, months: int) -> list[date]:
    """Return the first days of `months` months, the last of them that of `last`."""
    count = last.year * 12 + last.month - 1
    return [date(*divmod_month(count - back)) for back in reversed(range(months))]


def divmod_month(count: int) -> tuple[int, int, int]:
    """Return the first day of the month that is the `count`-th since the year 0, as year, month and day."""
    return count // 12, count % 12 + 1, 1


def next_month(day: date) -> date:
    """Return the first day of the month after that of `day`."""
    return date(*divmod_month(day.year * 12 + day.month))


@dataclass
class Coverage:
    """The parts of some periods by who answers for them: days and hours that are rolled up, and the rest from facts."""

    days: list[Span] = field(default_factory=list)
    hours: list[Span] = field(default_factory=list)
    facts: list[Span] = field(default_factory=list)


def coverage(bounds: Sequence[datetime], changed: set[datetime]) -> Coverage:
    """Cut the periods between the bounds into whole days, whole hours and the rest.

    `changed` are the hours whose roll-ups do not hold at the moment: they are read from the facts.
    """
    found = Coverage()
    for start, end in pairwise(bounds):
        for part in _cut(start, end, DAY):
            _settle(found, *part, changed)
    return Coverage(*map(_joined, (found.days, found.hours, found.facts)))


def _settle(found: Coverage, start: datetime, end: datetime, changed: set[datetime]) -> None:
    """Assign a part that lies within one day."""
    if end - start == DAY and not any(start <= hour < end for hour in changed):
        found.days.append((start, end))
        return
    for first, last in _cut(start, end, HOUR):
        whole = last - first == HOUR and first not in changed
        (found.hours if whole else found.facts).append((first, last))


def _cut(start: datetime, end: datetime, length: timedelta) -> Iterator[Span]:
    """Yield the parts of a span that lie within one day or hour (UTC) each."""
    if end - start == length == DAY and start.time() == _MIDNIGHT:
        # By far the most periods are days of UTC.
        yield start, end
        return
    while start < end:
        midnight = start.replace(hour=0, minute=0, second=0, microsecond=0)
        edge = min(midnight + ((start - midnight) // length + 1) * length, end)
        yield start, edge
        start = edge


def _joined(spans: Sequence[Span]) -> list[Span]:
    """Return the spans with neighbours made one."""
    joined: list[Span] = []
    for start, end in spans:
        if joined and joined[-1][1] == start:
            joined[-1] = (joined[-1][0], end)
        else:
            joined.append((start, end))
    return joined
