"""The local day of a moment, told by the database without tables of time zones: MariaDB comes with these empty."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, tzinfo

from django.db.models import Case, DateField, DateTimeField, ExpressionWrapper, F, When
from django.db.models.functions import TruncDate

_DAY, _SECOND = timedelta(days=1), timedelta(seconds=1)


def local_day(column: str, *, start: datetime, end: datetime, zone: tzinfo) -> Case:
    """Return an expression for the day in a zone of a column's moments, which lie between start and end."""
    *earlier, (_end, last) = fixed_offsets(start, end, zone)
    return Case(
        *(When(**{f"{column}__lt": until}, then=_day_at(column, offset)) for until, offset in earlier),
        default=_day_at(column, last),
        output_field=DateField(),
    )


def fixed_offsets(start: datetime, end: datetime, zone: tzinfo) -> Iterator[tuple[datetime, timedelta]]:
    """Yield the offsets from UTC that a zone has between two moments, each with the moment until which it holds."""
    while start < end:
        after = min(start + _DAY, end)
        if _offset(start, zone) != _offset(after, zone):
            change = _change_between(start, after, zone)
            yield change, _offset(start, zone)
            after = change
        start = after
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
