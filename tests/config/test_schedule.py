"""The table of periodic jobs, and how it reaches the scheduler."""

from dataclasses import replace
from io import StringIO

import pytest
from django.core.management import call_command
from django_celery_beat.models import IntervalSchedule, PeriodicTask

from config.schedule import SCHEDULE, ScheduledJob
from config.schedule_sync import schedule_synchronise
from config.shared.jobs import job_kind

NIGHTLY = ScheduledJob(name="nightly", job="a.job", description="At night.", expires=60, cron="30 2 * * 1-5")


@pytest.mark.parametrize("job", SCHEDULE, ids=lambda job: job.name)
def test_every_job_of_the_table_exists(job):
    assert job_kind(job.job).handler.__doc__


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
    assert schedule_synchronise() == sum(job.every_setting == "CLEANUP_INTERVAL" for job in SCHEDULE)
    row = PeriodicTask.objects.get(name="sessions-mark-expired")
    assert (row.enabled, row.interval.every) == (False, 77)


@pytest.mark.django_db
def test_what_staff_adjust_stays_until_the_setting_changes(settings):
    schedule_synchronise()
    row = PeriodicTask.objects.get(name="sessions-mark-expired")
    row.interval = IntervalSchedule.objects.create(every=7, period="minutes")
    row.save()
    assert schedule_synchronise() == 0
    row.refresh_from_db()
    assert (row.interval.every, row.interval.period) == (7, "minutes")
    settings.CLEANUP_INTERVAL = 77
    schedule_synchronise()
    row.refresh_from_db()
    assert (row.interval.every, row.interval.period) == (77, "seconds")


@pytest.mark.django_db
def test_an_entry_that_the_code_gave_up_goes_and_one_of_the_staff_stays():
    schedule_synchronise(jobs=[*SCHEDULE, NIGHTLY])
    every_minute = IntervalSchedule.objects.create(every=1, period="minutes")
    PeriodicTask.objects.create(name="our own", task="jobs.prune", interval=every_minute)
    schedule_synchronise()
    names = set(PeriodicTask.objects.values_list("name", flat=True))
    assert names == {job.name for job in SCHEDULE} | {"our own"}


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
