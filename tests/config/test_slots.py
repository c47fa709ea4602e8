"""Slots: which moment of a schedule it is, worked out the same by every scheduler, also when the clock jumps."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from celery.schedules import schedule
from django_celery_beat.clockedschedule import clocked
from django_celery_beat.tzcrontab import TzAwareCrontab

from config.slots import latest_slot, next_slot

NOON = datetime(2026, 3, 14, 12, 0, 0, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def every(seconds: float) -> schedule:
    return schedule(timedelta(seconds=seconds))


def cron(text: str, zone=UTC) -> TzAwareCrontab:
    names = ("minute", "hour", "day_of_month", "month_of_year", "day_of_week")
    return TzAwareCrontab(**dict(zip(names, text.split(), strict=True)), tz=zone)


@pytest.mark.parametrize("seconds", [1, 7, 300, 86400])
def test_intervals_are_counted_from_one_beginning_for_all(seconds):
    moment = NOON + timedelta(seconds=1.5)
    latest, coming = latest_slot(every(seconds), moment), next_slot(every(seconds), moment)
    assert latest.at <= moment < coming.at
    assert coming.at - latest.at == timedelta(seconds=seconds)
    assert latest.at.timestamp() % seconds == 0


def test_a_slot_begins_on_its_own_second():
    assert latest_slot(every(300), NOON).at == NOON
    assert latest_slot(every(300), NOON - timedelta(microseconds=1)).at == NOON - timedelta(seconds=300)


@pytest.mark.parametrize(
    ("text", "latest", "coming"),
    [
        ("0 12 * * *", "2026-03-14T12:00", "2026-03-15T12:00"),
        ("30 2 * * *", "2026-03-14T02:30", "2026-03-15T02:30"),
        ("*/25 * * * *", "2026-03-14T12:00", "2026-03-14T12:25"),
        ("0 3 1 * *", "2026-03-01T03:00", "2026-04-01T03:00"),
        ("0 3 * * 1", "2026-03-09T03:00", "2026-03-16T03:00"),
        ("0 0 29 2 *", "2024-02-29T00:00", "2028-02-29T00:00"),
    ],
)
def test_a_crontab_is_found_backwards_and_forwards(text, latest, coming):
    assert (latest_slot(cron(text), NOON).at, next_slot(cron(text), NOON).at) == (at(latest), at(coming))


def test_a_single_moment_has_one_slot():
    plan = clocked(NOON)
    assert latest_slot(plan, NOON - timedelta(seconds=1)) is None
    assert next_slot(plan, NOON - timedelta(seconds=1)).at == NOON
    assert latest_slot(plan, NOON + timedelta(days=9)).at == NOON


def keys_of_a_day(plan, begin: datetime) -> list[str]:
    """Return the slots that a beat sees which looks every minute of a day, in the order in which they become due."""
    seen, last = [], begin - timedelta(days=2)
    for minute in range(26 * 60):
        slot = latest_slot(plan, begin + timedelta(minutes=minute))
        if slot and slot.at > last:
            last = slot.at
            if minute:
                seen.append(slot.key)
    return seen


def test_a_time_that_the_spring_leaves_out_runs_once_right_after_the_jump():
    plan = cron("30 2 * * *", BERLIN)
    assert keys_of_a_day(plan, at("2026-03-28T23:00")) == [
        "2026-03-29T02:30:00[Europe/Berlin]",
        "2026-03-30T02:30:00[Europe/Berlin]",
    ]
    assert latest_slot(plan, at("2026-03-29T01:00")).key == "2026-03-29T02:30:00[Europe/Berlin]"


def test_a_time_that_the_autumn_repeats_runs_once():
    found = keys_of_a_day(cron("30 2 * * *", BERLIN), at("2026-10-24T23:00"))
    assert [key for key in found if key.startswith("2026-10-25")] == ["2026-10-25T02:30:00[Europe/Berlin]"]


def test_in_utc_every_hour_of_those_days_has_its_slot():
    for day in ("2026-03-28T23:00", "2026-10-24T23:00"):
        assert len(set(keys_of_a_day(cron("30 * * * *"), at(day)))) == 26
