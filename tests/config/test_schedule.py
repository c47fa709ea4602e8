"""The table of periodic jobs, and how it reaches the scheduler."""

from dataclasses import replace
from io import StringIO

import pytest
from django.core.management import call_command
from django_celery_beat.models import PeriodicTask

from config.celery import app
from config.schedule import SCHEDULE, ScheduledJob
from config.schedule_sync import schedule_synchronise

NIGHTLY = ScheduledJob(name="nightly", job="a.job", description="At night.", expires=60, cron="30 2 * * 1-5")


@pytest.mark.parametrize("job", SCHEDULE, ids=lambda job: job.name)
def test_every_job_of_the_table_exists(job):
    app.loader.import_default_modules()
    assert job.job in app.tasks


@pytest.mark.parametrize("job", SCHEDULE, ids=lambda job: job.name)
def test_every_job_has_one_time_and_expires(job):
    assert bool(job.every_setting) != bool(job.cron)
    assert job.expires > 0


@pytest.mark.django_db
def test_the_table_becomes_rows_that_staff_see(settings):
    settings.CLEANUP_INTERVAL = 120
    schedule_synchronise()
    row = PeriodicTask.objects.get(name="sessions-mark-expired")
    assert (row.interval.every, row.interval.period, row.enabled) == (120, "seconds", True)


@pytest.mark.django_db
def test_a_second_time_writes_nothing():
    schedule_synchronise(jobs=[*SCHEDULE, NIGHTLY])
    assert schedule_synchronise(jobs=[*SCHEDULE, NIGHTLY]) == 0


@pytest.mark.django_db
def test_a_job_that_staff_switched_off_stays_off_when_its_interval_changes(settings):
    schedule_synchronise()
    PeriodicTask.objects.filter(name="sessions-mark-expired").update(enabled=False)
    settings.CLEANUP_INTERVAL = 77
    assert schedule_synchronise() == len(SCHEDULE)
    row = PeriodicTask.objects.get(name="sessions-mark-expired")
    assert (row.enabled, row.interval.every) == (False, 77)


@pytest.mark.django_db
def test_an_interval_of_zero_takes_the_job_away(settings):
    schedule_synchronise()
    settings.CLEANUP_INTERVAL = 0
    schedule_synchronise()
    assert not PeriodicTask.objects.filter(name="sessions-mark-expired").exists()


@pytest.mark.django_db
def test_a_job_may_change_from_one_kind_of_time_to_the_other():
    schedule_synchronise(jobs=[NIGHTLY])
    schedule_synchronise(jobs=[replace(NIGHTLY, cron=None, every_setting="CLEANUP_INTERVAL")])
    row = PeriodicTask.objects.get(name="nightly")
    assert row.crontab is None
    assert row.interval is not None


@pytest.mark.django_db
def test_a_cron_time_is_read_in_utc():
    schedule_synchronise(jobs=[NIGHTLY])
    crontab = PeriodicTask.objects.get(name="nightly").crontab
    assert (crontab.minute, crontab.hour, crontab.day_of_week, str(crontab.timezone)) == ("30", "2", "1-5", "UTC")


@pytest.mark.django_db
def test_the_command_writes_the_rows_and_says_how_many():
    PeriodicTask.objects.all().delete()
    out = StringIO()
    call_command("sync_schedule", stdout=out)
    assert out.getvalue() == f"{len(SCHEDULE)} periodic jobs written.\n"
