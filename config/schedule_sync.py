"""Brings the table of periodic jobs into django-celery-beat's tables, where staff see and switch them."""

import json
from collections.abc import Iterable

from django.conf import settings
from django.db import transaction
from django_celery_beat.models import CrontabSchedule, IntervalSchedule, PeriodicTask

from config.schedule import SCHEDULE, ScheduledJob

# Under this name a row remembers what the code gave it last.
GIVEN = "agentledger"


@transaction.atomic
def schedule_synchronise(*, jobs: Iterable[ScheduledJob] = SCHEDULE) -> int:
    """Write every job's row where it is missing or different, and return how many were written.

    What staff change in a row stays: the switch `enabled` for good, the rest until the code or a setting says something
    new, which is remembered in the row's headers. A job whose interval is 0 has no row. Entries that the code has given
    up are deleted.
    """
    wanted = list(jobs)
    return sum(_write(job) for job in wanted) + _forget({job.name for job in wanted})


def _write(job: ScheduledJob) -> int:
    seconds = getattr(settings, job.every_setting) if job.every_setting else None
    existing = PeriodicTask.objects.filter(name=job.name)
    if seconds == 0:
        return existing.delete()[0]
    wanted = {
        "task": job.job,
        "interval": _interval(seconds) if seconds else None,
        "crontab": _crontab(job.cron) if job.cron else None,
        "expire_seconds": job.expires,
        "description": job.description,
    }
    given = json.dumps({GIVEN: [job.job, seconds, job.cron, job.expires, job.description]})
    row = existing.first()
    if row is None:
        PeriodicTask.objects.create(name=job.name, headers=given, **wanted)
        return 1
    if row.headers == given:
        return 0
    row.headers = given
    for field, value in wanted.items():
        setattr(row, field, value)
    row.save()
    return 1


def _forget(names: set[str]) -> int:
    """Delete entries that came from the code, and are not there any more."""
    gone = PeriodicTask.objects.filter(headers__startswith=f'{{"{GIVEN}"').exclude(name__in=names)
    return gone.delete()[0]


def _interval(seconds: int) -> IntervalSchedule:
    wanted = {"every": seconds, "period": IntervalSchedule.SECONDS}
    # No constraint keeps these rows unique, so staff may have made a second one.
    return IntervalSchedule.objects.filter(**wanted).first() or IntervalSchedule.objects.create(**wanted)


def _crontab(cron: str) -> CrontabSchedule:
    fields = ("minute", "hour", "day_of_month", "month_of_year", "day_of_week")
    wanted = {**dict(zip(fields, cron.split(), strict=True)), "timezone": "UTC"}
    return CrontabSchedule.objects.filter(**wanted).first() or CrontabSchedule.objects.create(**wanted)
