"""The scheduler that Celery beat runs: due entries become rows of jobs, so any number of beats run each slot once."""

from datetime import datetime, timedelta
from typing import Any

import structlog
from celery.schedules import schedstate
from django.utils import timezone
from django_celery_beat.models import PeriodicTask
from django_celery_beat.schedulers import DatabaseScheduler, ModelEntry

from config.schedule import SKIP, policy_of
from config.schedule_runs import slot_enqueue
from config.slots import Slot, latest_slot, next_slot

# A slot that is older was missed: nobody's clock is so far behind.
MISSED_AFTER = timedelta(seconds=120)
# An entry looks at the clock at least so often: it may have been set.
LONGEST_WAIT_SECONDS = 60.0
log = structlog.get_logger(__name__)


class _Plan:
    """A schedule that is due when its newest slot is later than the last one that ran."""

    def __init__(self, name: str, schedule: Any) -> None:
        self.name, self.schedule = name, schedule
        self.due: Slot | None = None

    def now(self) -> datetime:
        """Return the moment that beat reckons with."""
        return timezone.now()

    def is_due(self, last_run_at: datetime) -> schedstate:
        """Say whether a slot is due, and in how many seconds to ask again; the slot stays in `due`."""
        now = timezone.now()
        newest, coming = self._newest(now, last_run_at), next_slot(self.schedule, now)
        wait = (coming.at - now).total_seconds() if coming else LONGEST_WAIT_SECONDS
        self.due = newest if newest and newest.at > last_run_at and not self._is_skipped(newest, now) else None
        return schedstate(self.due is not None, min(max(wait, 0.05), LONGEST_WAIT_SECONDS))

    def _newest(self, now: datetime, last_run_at: datetime) -> Slot | None:
        found = latest_slot(self.schedule, now)
        if found is None and type(self.schedule).__name__ == "solar" and self.schedule.is_due(last_run_at).is_due:
            return Slot(now, now.strftime("%Y-%m-%d"))
        return found

    def _is_skipped(self, slot: Slot, now: datetime) -> bool:
        return policy_of(self.name) == SKIP and now - slot.at > MISSED_AFTER


class SlotEntry(ModelEntry):
    """An entry of the schedule; switches, start times and ends are ModelEntry's, the slots are ours."""

    def __init__(self, model: PeriodicTask, app: Any = None) -> None:
        super().__init__(model, app)
        self.schedule = _Plan(model.name, model.schedule)

    def __next__(self) -> "SlotEntry":
        if self.schedule.due is not None:
            self.model.last_run_at = self.schedule.due.at
        return type(self)(self.model, app=self.app)


class SlotScheduler(DatabaseScheduler):
    """Beat's scheduler: the tables of django-celery-beat, slots instead of messages, and no broker needed."""

    Entry = SlotEntry
    # Beat's own loop hands a producer over, which would connect to the broker, and wait for it.
    producer = None

    def enabled_models_qs(self) -> Any:
        """Return every enabled entry: one that is far from its hour may have missed a slot."""
        return self.Model.objects.enabled().select_related("interval", "crontab", "solar", "clocked")

    def reserve(self, entry: SlotEntry) -> SlotEntry:
        """Return the entry as it is after this run; nothing is written later, the job's transaction does it."""
        return next(entry)

    def apply_async(self, entry: SlotEntry, producer: Any = None, advance: bool = True, **kwargs: Any) -> None:
        """Make the job of the entry's due slot, unless another beat has made it."""
        slot = entry.schedule.due
        job = slot_enqueue(row=entry.model, slot=slot, now=timezone.now()) if slot else None
        if job is not None:
            log.debug("slot_enqueued", entry=entry.name, job=job.pk)
