"""What the store holds: how much of each kind there is, counted where it is little and estimated where it is much."""

import json
from dataclasses import dataclass
from typing import Any

from django.db import connection, models
from django.db.models import Max, Min, QuerySet

from config.shared.cached import cache_value, cached_value
from config.shared.callers import Caller
from history_app.models import ErrorRecord, LLMCall, Message, Metric, Task, TokenUsage, ToolCall
from sessions_app.models import KnowledgeSource, Session, UserConfig, Workflow, WorkflowRun

HELD: tuple[type[models.Model], ...] = (
    Session,
    Message,
    Task,
    ToolCall,
    LLMCall,
    TokenUsage,
    ErrorRecord,
    Metric,
    Workflow,
    WorkflowRun,
    UserConfig,
    KnowledgeSource,
)
COUNTED_AT_MOST = 10_000
CACHED_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Holding:
    """How many rows of one model there are; `exact` is False where the number is an estimate."""

    model: type[models.Model]
    count: int
    exact: bool


def holdings(*, caller: Caller) -> list[Holding]:
    """Return how much of each kind the caller may see. Small kinds are counted, large ones estimated; kept a minute."""
    seen = "all" if caller.project_ids is None else "-".join(map(str, sorted(caller.project_ids)))
    key = f"analytics.holdings.{seen}"
    counts = cached_value(key)
    if counts is None:
        counts = [_held(model, caller) for model in HELD]
        cache_value(key, counts, CACHED_SECONDS)
    return [Holding(model, count, exact) for model, (count, exact) in zip(HELD, counts, strict=True)]


def _held(model: Any, caller: Caller) -> tuple[int, bool]:
    counted = model.objects.visible_to(caller).order_by().values("pk")[: COUNTED_AT_MOST + 1].count()
    if counted <= COUNTED_AT_MOST:
        return counted, True
    # Planners take half of the rows for those of deleted sessions, which are few: they are left out of the question.
    rows = model._default_manager.order_by()
    if caller.project_ids is not None:
        rows = rows.filter(project_id__in=caller.project_ids)
    return max(_estimate(rows), counted), False


def _estimate(rows: QuerySet[Any]) -> int:
    """Return about how many rows there are, without reading them: from the planner, or from the span of the keys."""
    if connection.vendor == "sqlite":
        span = rows.model._base_manager.aggregate(first=Min("pk"), last=Max("pk"))
        return int(span["last"] - span["first"] + 1)
    plan: Any = rows.values("pk").explain(format="json")
    # Django puts MariaDB's answer, which is JSON text already, into JSON once more.
    while isinstance(plan, str):
        plan = json.loads(plan)
    return _planned_rows(plan) or 0


def _planned_rows(plan: Any) -> int | None:
    """Return the number of rows that a plan expects: PostgreSQL's `Plan Rows`, or the first `rows` of MariaDB's."""
    if isinstance(plan, dict):
        for name in ("Plan Rows", "rows"):
            if name in plan:
                return int(plan[name])
    parts = plan.values() if isinstance(plan, dict) else plan if isinstance(plan, list) else ()
    return next((found for part in parts if (found := _planned_rows(part)) is not None), None)
