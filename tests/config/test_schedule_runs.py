"""Runs of the schedule: beats come and go, several at once, and each slot is run once, by the policy of its entry."""

from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone
from django_celery_beat.models import IntervalSchedule, PeriodicTask

from config import beat
from config.beat import SlotScheduler
from config.celery import app
from config.schedule_sync import schedule_synchronise
from sessions_app.models import Job

pytestmark = pytest.mark.django_db

MORNING = datetime(2026, 3, 14, 9, 0, 0, tzinfo=UTC)


class Clock:
    """The time that the schedulers see."""

    def __init__(self, monkeypatch, moment: datetime) -> None:
        self.moment = moment
        monkeypatch.setattr(beat.timezone, "now", lambda: self.moment)

    def goes(self, **by: float) -> None:
        self.moment += timedelta(**by)


@pytest.fixture(autouse=True)
def _within_a_transaction(monkeypatch):
    """Beat gives its connection back before it reads; here that would end the transaction of the test."""
    monkeypatch.setattr("django_celery_beat.schedulers.close_old_connections", lambda: None)


@pytest.fixture
def clock(monkeypatch):
    return Clock(monkeypatch, MORNING)


def entry(name="tick", seconds=60, task="jobs.prune", **fields) -> PeriodicTask:
    interval = IntervalSchedule.objects.create(every=seconds, period="seconds")
    row = PeriodicTask.objects.create(name=name, task=task, interval=interval, **fields)
    PeriodicTask.objects.filter(pk=row.pk).update(date_changed=MORNING)
    row.refresh_from_db()
    return row


def beat_now() -> None:
    """A scheduler starts, does what is due and is killed."""
    scheduler = SlotScheduler(app=app)
    while scheduler.tick() == 0:
        continue


def slots() -> list[str]:
    return list(Job.objects.order_by("pk").values_list("slot", flat=True))


def test_three_beats_that_restart_all_the_time_run_each_slot_once(clock):
    entry()
    for _round in range(20):
        clock.goes(seconds=61.3)
        for _beat in range(3):
            beat_now()
    assert slots() == [f"tick@2026-03-14T09:{minute:02}:00Z" for minute in range(1, 21)]
    assert PeriodicTask.objects.get().total_run_count == 20


def test_a_new_entry_waits_for_its_first_slot(clock):
    entry(seconds=3600)
    beat_now()
    assert slots() == []
    clock.goes(hours=1)
    beat_now()
    assert slots() == ["tick@2026-03-14T10:00:00Z"]


def test_missed_slots_are_made_up_with_one_run(clock):
    entry(seconds=3600)
    clock.goes(hours=1)
    beat_now()
    clock.goes(hours=7, minutes=20)
    beat_now()
    assert slots() == ["tick@2026-03-14T10:00:00Z", "tick@2026-03-14T17:00:00Z"]


def test_missed_slots_are_left_out_where_the_policy_says_so(clock):
    entry(name="canary", seconds=3600, task="system.canary")
    clock.goes(hours=7, minutes=20)
    beat_now()
    assert slots() == []
    clock.goes(minutes=40, seconds=1)
    beat_now()
    assert slots() == ["canary@2026-03-14T17:00:00Z"]


def test_a_clock_that_goes_back_repeats_nothing(clock):
    entry()
    clock.goes(minutes=10)
    beat_now()
    clock.goes(minutes=-5)
    beat_now()
    clock.goes(minutes=5, seconds=30)
    beat_now()
    assert len(slots()) == 1
    clock.goes(minutes=1)
    beat_now()
    assert len(slots()) == 2


def test_even_a_row_that_was_made_anew_repeats_no_slot(clock):
    entry()
    clock.goes(minutes=1)
    beat_now()
    PeriodicTask.objects.all().delete()
    entry()
    beat_now()
    assert slots() == ["tick@2026-03-14T09:01:00Z"]
    assert PeriodicTask.objects.get().total_run_count == 0


def test_what_staff_switch_off_does_not_run(clock):
    row = entry()
    scheduler = SlotScheduler(app=app)
    clock.goes(minutes=1)
    each = scheduler.schedule["tick"]
    assert each.is_due().is_due
    PeriodicTask.objects.filter(pk=row.pk).update(enabled=False)
    scheduler.apply_entry(each)
    assert slots() == []


def test_an_entry_hands_its_arguments_and_its_end_over(clock):
    entry(kwargs='{"batch": 7}', expire_seconds=50)
    clock.goes(minutes=1)
    beat_now()
    made = Job.objects.get()
    assert (made.arguments, made.expires_at, made.asked_by) == (
        {"batch": 7},
        clock.moment + timedelta(seconds=50),
        "system: system",
    )


def test_a_scheduler_needs_no_broker(clock, settings):
    assert SlotScheduler(app=app).producer is None


def test_the_whole_table_is_due_sooner_or_later(clock):
    schedule_synchronise()
    PeriodicTask.objects.update(date_changed=MORNING)
    clock.moment = max(timezone.now(), MORNING) + timedelta(hours=1)
    beat_now()
    kinds = set(Job.objects.values_list("kind", flat=True))
    assert {"sessions.mark_expired", "answers.prune", "jobs.prune", "events.prune"} <= kinds
