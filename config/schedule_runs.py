"""Runs of the schedule: a slot becomes a job, once, however many schedulers tick; or at once, when staff ask for it."""

import json
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import F, Q
from django_celery_beat.models import PeriodicTask

from config.shared.callers import SYSTEM, Caller
from config.slots import Slot, next_slot
from sessions_app.models import Job
from sessions_app.services.jobs import job_enqueue, job_enqueue_once

CANARY = "system.canary"


@transaction.atomic
def slot_enqueue(*, row: PeriodicTask, slot: Slot, now: datetime) -> Job | None:
    """Make the job of a slot; return None where somebody has made it, or the entry was switched off or has moved on.

    Two walls: the entry remembers its newest slot, and a job's slot is unique in the database.
    """
    behind = Q(last_run_at__isnull=True) | Q(last_run_at__lt=slot.at)
    mine = PeriodicTask.objects.filter(behind, pk=row.pk, enabled=True)
    if not mine.update(last_run_at=slot.at, total_run_count=F("total_run_count") + 1):
        return None
    job, is_new = job_enqueue_once(
        kind=row.task,
        slot=f"{row.name}@{slot.key}",
        arguments=json.loads(row.kwargs or "{}"),
        now=now,
        expires_at=now + timedelta(seconds=row.expire_seconds) if row.expire_seconds else None,
        caller=SYSTEM,
    )
    if not is_new:
        # The entry was made anew, or its clock went back: what is remembered now stays, but nothing ran.
        PeriodicTask.objects.filter(pk=row.pk).update(total_run_count=F("total_run_count") - 1)
        return None
    return job


@dataclass(frozen=True)
class Canary:
    """When the last canary was done, whether a message had woken its worker, and since when one was to be expected."""

    done_at: datetime | None
    is_woken: bool
    expected_since: datetime


def canary_last(*, now: datetime) -> Canary:
    """Return the last canary; before the first one, it is expected since the schedule was written."""
    row = Job.objects.filter(kind=CANARY, state=Job.State.SUCCEEDED).order_by("-created_at", "-pk").first()
    if row is not None:
        return Canary(row.finished_at, row.woken, row.created_at)
    entry = PeriodicTask.objects.filter(task=CANARY).order_by("date_changed").first()
    return Canary(None, True, entry.date_changed if entry else now)


def entry_next_run(row: PeriodicTask, now: datetime) -> datetime | None:
    """Return when the entry has its next slot, or None where it has none (or follows the sun)."""
    slot = next_slot(row.schedule, now)
    return slot.at if slot else None


def entry_run_now(*, row: PeriodicTask, caller: Caller, now: datetime) -> Job:
    """Ask for one run of a scheduled entry at once, beside its slots."""
    return job_enqueue(kind=row.task, arguments=json.loads(row.kwargs or "{}"), now=now, caller=caller)
