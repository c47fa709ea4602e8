"""What came in per project and day."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import reduce
from typing import Any

from django.db import models
from django.db.models import Count, QuerySet, Sum
from django.db.models.functions import TruncDate

from config.shared.callers import Caller
from config.shared.fields import EXACT, ExactSum
from history_app.models import ErrorRecord, LLMCall, Message, Task, TokenUsage, ToolCall
from sessions_app.models import Project, Session

MOST_DAYS = 92
# The kinds of the overview: name, model, and the column that says on which day a row belongs.
KINDS: tuple[tuple[str, type[models.Model], str], ...] = (
    ("sessions", Session, "created_at"),
    ("messages", Message, "timestamp"),
    ("tool_calls", ToolCall, "timestamp"),
    ("llm_calls", LLMCall, "timestamp"),
    ("errors", ErrorRecord, "timestamp"),
    ("tasks", Task, "created_at"),
)
USAGE_SUMS = ("prompt_tokens", "completion_tokens", "total_tokens")
COUNTS = (*(name for name, _model, _column in KINDS), "token_usage", *USAGE_SUMS)
NOTHING: dict[str, Any] = {**dict.fromkeys(COUNTS, 0), "cost": Decimal(0)}


def overview(*, caller: Caller, days: int, now: datetime) -> dict[str, Any]:
    """Return what came in during the last `days` days in UTC, today included, per project and day.

    `days` is 1 to MOST_DAYS. Facts belong to the day of their own time; costs are exact sums in USD of those that are
    known. Each project's `days` go from the first to the last day, days without anything included.
    """
    last = now.astimezone(UTC).date()
    first = last - timedelta(days=days - 1)
    start = datetime(first.year, first.month, first.day, tzinfo=UTC)
    found: defaultdict[tuple[int, date], dict[str, Any]] = defaultdict(lambda: dict(NOTHING))
    for name, model, column in KINDS:
        for row in _by_day(model, column, caller, start, days).annotate(count=Count("pk")):
            found[row["project_id"], row["day"]][name] = row["count"]
    for row in _usage_by_day(caller, start, days):
        sums = {name: row[f"{name}_sum"] or 0 for name in USAGE_SUMS}
        cost = row["cost_sum"] or NOTHING["cost"]
        found[row["project_id"], row["day"]] |= {"token_usage": row["count"], **sums, "cost": cost}
    every_day = [first + timedelta(days=place) for place in range(days)]
    return {"start": first, "end": last, "projects": _projects(caller, every_day, found)}


def _by_day(model: Any, column: str, caller: Caller, start: datetime, days: int) -> QuerySet[Any]:
    rows: QuerySet[Any] = model.objects.visible_to(caller).filter(
        **{f"{column}__gte": start, f"{column}__lt": start + timedelta(days=days)}
    )
    by_day: QuerySet[Any] = rows.order_by().annotate(day=TruncDate(column, tzinfo=UTC)).values("project_id", "day")
    return by_day


def _usage_by_day(caller: Caller, start: datetime, days: int) -> QuerySet[Any]:
    sums = {f"{name}_sum": Sum(name) for name in USAGE_SUMS}
    rows = _by_day(TokenUsage, "timestamp", caller, start, days)
    summed: QuerySet[Any] = rows.annotate(count=Count("pk"), cost_sum=ExactSum("cost"), **sums)
    return summed


def _projects(
    caller: Caller, every_day: Sequence[date], found: dict[tuple[int, date], dict[str, Any]]
) -> list[dict[str, Any]]:
    projects = Project.objects.order_by("slug")
    if caller.project_ids is not None:
        projects = projects.filter(pk__in=caller.project_ids)
    shown = []
    for project in projects:
        days = [{"date": day, **found.get((project.pk, day), NOTHING)} for day in every_day]
        totals: dict[str, Any] = {name: sum(row[name] for row in days) for name in COUNTS}
        totals["cost"] = reduce(EXACT.add, (row["cost"] for row in days))
        shown.append({"project": project.slug, "totals": totals, "days": days})
    return shown
