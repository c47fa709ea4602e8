"""Slots: the moments at which a periodic job is to run, worked out from the clock alone, the same in every process.

Intervals are counted from 1970 in UTC, so that each beat knows the same slots. A crontab is read on the wall clock of
its zone: what the summer's jump leaves out runs right after it, what the winter repeats runs once.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from celery.schedules import BaseSchedule, crontab, schedule
from django_celery_beat.clockedschedule import clocked

# The 29th of February may be eight years away.
DAYS_LOOKED_AT = 8 * 366
_ONE_SECOND = timedelta(seconds=1)


@dataclass(frozen=True)
class Slot:
    """One moment of a schedule, in UTC, and the text that tells it from all others of the same schedule."""

    at: datetime
    key: str


def latest_slot(plan: BaseSchedule, now: datetime) -> Slot | None:
    """Return the newest slot that is not in the future, or None where there is none."""
    if isinstance(plan, crontab):
        return _wall_slot(plan, now, back=True)
    if isinstance(plan, clocked):
        return _slot(plan.clocked_time) if plan.clocked_time <= now else None
    if isinstance(plan, schedule):
        every = max(plan.run_every, _ONE_SECOND)
        return _slot(now - (now - datetime.fromtimestamp(0, UTC)) % every)
    return None


def next_slot(plan: BaseSchedule, now: datetime) -> Slot | None:
    """Return the first slot after now, or None where there is none."""
    if isinstance(plan, crontab):
        return _wall_slot(plan, now, back=False)
    if isinstance(plan, clocked):
        return _slot(plan.clocked_time) if plan.clocked_time > now else None
    if isinstance(plan, schedule):
        every = max(plan.run_every, _ONE_SECOND)
        return _slot(now - (now - datetime.fromtimestamp(0, UTC)) % every + every)
    return None


def _slot(moment: datetime) -> Slot:
    at = moment.astimezone(UTC)
    return Slot(at, at.strftime("%Y-%m-%dT%H:%M:%SZ"))


def _wall_slot(plan: Any, now: datetime, *, back: bool) -> Slot | None:
    zone = getattr(plan, "tz", UTC)
    wall = now.astimezone(zone).replace(tzinfo=None)
    found = _match(plan, wall, back=back)
    if found is None:
        return None
    # A time that comes twice is its first; one that the jump left out lies before the jump.
    at = min(found.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
    suffix = "Z" if str(zone) == "UTC" else f"[{zone}]"
    return Slot(at, found.strftime("%Y-%m-%dT%H:%M:%S") + suffix)


def _match(plan: Any, wall: datetime, *, back: bool) -> datetime | None:
    """Return the newest matching minute up to `wall`, or the first after it."""
    minutes = [(hour, minute) for hour in sorted(plan.hour) for minute in sorted(plan.minute)]
    for day in _days(plan, wall.date(), -1 if back else 1):
        moments = [datetime(day.year, day.month, day.day, *minute) for minute in minutes]  # noqa: DTZ001 (a wall clock)
        fitting = [moment for moment in moments if (moment <= wall if back else moment > wall)]
        if fitting:
            return fitting[-1] if back else fitting[0]
    return None


def _days(plan: Any, start: date, step: int) -> Iterator[date]:
    for number in range(DAYS_LOOKED_AT):
        day = start + timedelta(days=number * step)
        fits = day.month in plan.month_of_year and day.day in plan.day_of_month
        if fits and day.isoweekday() % 7 in plan.day_of_week:
            yield day
