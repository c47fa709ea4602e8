"""The local day of a moment, told by the database without tables of time zones: MariaDB comes with these empty."""

from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Any

from django.db.models import Case, DateField, DateTimeField, ExpressionWrapper, F, QuerySet, When
from django.db.models.functions import TruncDate

_DAY, _SECOND = timedelta(days=1), timedelta(seconds=1)
_UTC = str(UTC)


def local_day(rows: QuerySet[Any], column: str, zone: tzinfo) -> Any:
    """Return an expression for the day in a zone of the rows' moments.

    Takes a query for the days (UTC) that have any, unless the zone is UTC.
    """
    utc_day = TruncDate(column, tzinfo=UTC)
    if str(zone) == _UTC:
        return utc_day
    days = rows.order_by().annotate(utc_day=utc_day).values_list("utc_day", flat=True).distinct()
    found = offsets_of_days(sorted(days), zone)
    if not found:
        return utc_day
    *earlier, (_end, last) = found
    return Case(
        *(When(**{f"{column}__lt": until}, then=_day_at(column, offset)) for until, offset in earlier),
        default=_day_at(column, last),
        output_field=DateField(),
    )


def offsets_of_days(days: Iterable[date], zone: tzinfo) -> list[tuple[datetime, timedelta]]:
    """Return the offsets from UTC that a zone has on these days (UTC, ascending), each with the moment until it holds.

    What holds on days that are not among them does not matter, so there are few, however far apart the days are.
    """
    found: list[tuple[datetime, timedelta]] = []
    for until, offset in _each(days, zone):
        if found and found[-1][1] == offset:
            found.pop()
        found.append((until, offset))
    return found


def _each(days: Iterable[date], zone: tzinfo) -> Iterator[tuple[datetime, timedelta]]:
    for day in days:
        start = datetime.combine(day, time(), UTC)
        end = start + _DAY
        if _offset(start, zone) != _offset(end, zone):
            yield _change_between(start, end, zone), _offset(start, zone)
        yield end, _offset(end, zone)


def _change_between(before: datetime, after: datetime, zone: tzinfo) -> datetime:
    """Return the first whole second of the later offset."""
    while after - before > _SECOND:
        middle = (before + (after - before) / 2).replace(microsecond=0)
        if middle <= before:
            break
        if _offset(middle, zone) == _offset(before, zone):
            before = middle
        else:
            after = middle
    return after.replace(microsecond=0)


def _offset(moment: datetime, zone: tzinfo) -> timedelta:
    return moment.astimezone(zone).utcoffset() or timedelta()


def _day_at(column: str, offset: timedelta) -> TruncDate:
    return TruncDate(ExpressionWrapper(F(column) + offset, output_field=DateTimeField()), tzinfo=UTC)
