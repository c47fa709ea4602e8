"""Filling: uses behind the watermark are added to the roll-ups, hours with changes are made anew.

It may be stopped at any moment, run again, and run twice at once: every step is one transaction that begins by moving
the state on, and does nothing when somebody else has moved it. Readers take from the facts what no step has reached.
"""

from datetime import datetime, timedelta

from django.db import connection, transaction
from django.db.models import F

from analytics_app.models import RollupState, UsageChange
from analytics_app.models.rollups import ROLLUPS, Grain
from analytics_app.selectors.usage_groups import grouped_by_hour
from analytics_app.services.rollups.merging import groups_merge, in_chunks
from analytics_app.services.rollups.one_statement import uses_add
from config.shared.retries import retried
from history_app.models import TokenUsage
from history_app.services.settled import settled_id

STATE = "usage"
# So many ids are added in one transaction, and so many changed hours put right: both stay short.
IDS_PER_STEP = 100_000
HOURS_PER_STEP = 100
_HOUR, _DAY = timedelta(hours=1), timedelta(days=1)


def usage_roll_up(*, now: datetime, steps: int = 1000) -> int:
    """Bring the roll-ups up to date in at most `steps` transactions, and return how many it took.

    Uses whose transactions are still running wait for the next time, as do those that came meanwhile.
    """
    state, _created = RollupState.objects.get_or_create(name=STATE)
    settled, done = settled_id(TokenUsage, state, now=now), 0
    while done < steps and retried(lambda: _step(settled, now)):
        done += 1
    return done


@transaction.atomic
def usage_rollups_reset() -> None:
    """Forget all roll-ups; until they are filled anew every figure is read from the facts."""
    RollupState.objects.get_or_create(name=STATE)
    RollupState.objects.filter(name=STATE).update(watermark=0, ceiling=0, ceiling_at=None, version=F("version") + 1)
    UsageChange.objects.all().delete()
    for model in ROLLUPS:
        model.objects.all().delete()


@transaction.atomic
def _step(settled: int, now: datetime) -> bool:
    """Do the next piece of work; return whether there was some."""
    state = RollupState.objects.get(name=STATE)
    if state.watermark < settled:
        upto = min(settled, state.watermark + IDS_PER_STEP)
        if _moved_on(state, upto, now):
            _add(state.watermark, upto)
        return True
    changed = UsageChange.objects.order_by("project_id", "hour").values_list("project_id", "hour").distinct()
    notes = list(changed[:HOURS_PER_STEP])
    if not notes:
        return False
    if _moved_on(state, state.watermark, now):
        _redo(notes, state.watermark)
    return True


def _moved_on(state: RollupState, watermark: int, now: datetime) -> bool:
    """Take the state under lock; False when somebody else has moved it since it was read."""
    mine = RollupState.objects.filter(name=state.name, version=state.version)
    return bool(mine.update(watermark=watermark, version=state.version + 1, rolled_up_at=now))


def _add(above: int, upto: int) -> None:
    rows = TokenUsage.objects.filter(pk__gt=above, pk__lte=upto)
    if connection.vendor == "postgresql":
        uses_add(rows)
        return
    for model in ROLLUPS:
        hours = grouped_by_hour(rows, model.NAMES)
        groups_merge(model, Grain.HOUR, hours)
        groups_merge(model, Grain.DAY, hours)


def _redo(notes: list[tuple[int, datetime]], watermark: int) -> None:
    """Make hours anew, and the days that they are in.

    The notes are removed before the facts are read: a change that is not among the facts by then has a note that
    stays, because its transaction commits later.
    """
    for project, hour in notes:
        seen = list(UsageChange.objects.filter(project_id=project, hour=hour).values_list("pk", flat=True))
        for some in in_chunks(seen):
            UsageChange.objects.filter(pk__in=some).delete()
    for project, hour in notes:
        _make_anew(project, Grain.HOUR, hour, hour + _HOUR, watermark)
    for project, day in sorted({(project, hour.replace(hour=0)) for project, hour in notes}):
        _make_anew(project, Grain.DAY, day, day + _DAY, watermark)


def _make_anew(project: int, grain: Grain, start: datetime, end: datetime, watermark: int) -> None:
    rolled = TokenUsage.objects.filter(project_id=project, timestamp__gte=start, timestamp__lt=end, pk__lte=watermark)
    for model in ROLLUPS:
        model.objects.filter(project_id=project, grain=grain, start=start).delete()
        groups_merge(model, grain, grouped_by_hour(rolled, model.NAMES))
