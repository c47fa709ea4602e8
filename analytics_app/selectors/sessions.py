"""Sessions in figures (document 000, 2.1.3): how many, how long, and how they ended."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db.models import Avg, Count, DurationField, ExpressionWrapper, F, QuerySet

from analytics_app.selectors.tokens import Asked
from config.shared.callers import Caller
from history_app.models import ErrorRecord
from history_app.selectors.local_days import local_day
from sessions_app.models import Session

WHOLE = 100.0


def session_figures(*, caller: Caller, asked: Asked, start: datetime, end: datetime) -> dict[str, Any]:
    """Return the figures of the sessions that began in a period.

    `average_duration` is seconds from the beginning to the last activity. `success_rate` is the share of completed ones
    in those that ended, in percent; None where none has ended. `error_count` counts the errors of the period.
    """
    rows = _begun(caller, start, end)
    by_status = sessions_by_status(caller=caller, start=start, end=end)
    lasted = ExpressionWrapper(F("activity__last_activity_at") - F("created_at"), output_field=DurationField())
    average = rows.aggregate(average=Avg(lasted))["average"]
    errors = ErrorRecord.objects.visible_to(caller).filter(timestamp__gte=start, timestamp__lt=end)
    day = local_day(rows, "created_at", asked.zone)
    by_day = rows.annotate(date=day).values("date").annotate(count=Count("pk"))
    return {
        "start": start,
        "end": end,
        "total_sessions": sum(by_status.values()),
        "active_sessions": by_status[Session.Status.ACTIVE],
        "by_status": by_status,
        "average_duration": 0.0 if average is None else average.total_seconds(),
        "success_rate": _success_rate(by_status),
        "error_count": errors.count(),
        "by_day": list(by_day.order_by("date")),
    }


def sessions_by_status(*, caller: Caller, start: datetime, end: datetime) -> dict[str, int]:
    """Return how many of the sessions that began in a period stand where; every status is there."""
    found = dict(_begun(caller, start, end).values_list("status").annotate(count=Count("pk")))
    return {status: found.get(status, 0) for status in Session.Status.values}


def _begun(caller: Caller, start: datetime, end: datetime) -> QuerySet[Any]:
    rows: QuerySet[Any] = Session.objects.visible_to(caller).filter(created_at__gte=start, created_at__lt=end)
    return rows.order_by()


def _success_rate(by_status: Mapping[str, int]) -> float | None:
    completed = by_status[Session.Status.COMPLETED]
    ended = completed + by_status[Session.Status.FAILED]
    return completed / ended * WHOLE if ended else None
