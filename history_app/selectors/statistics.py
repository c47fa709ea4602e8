"""Statistics of tool calls and errors over all sessions: totals, rates and times, by type, by session and by day.

The rows come filtered; everything here is counted in the database, over the whole of them.
"""

from datetime import tzinfo
from typing import Any

from django.db.models import Avg, Count, Q, QuerySet

from history_app.models import ErrorRecord, ToolCall
from history_app.selectors.local_days import local_day
from history_app.selectors.percentiles import NO_PERCENTILES, percentiles
from history_app.selectors.session_figures import durations, measured

# How many types and sessions are named: those with the most rows. The totals count all.
MOST_NAMED = 100
_OUTCOMES = {
    "total_calls": Count("pk"),
    "success_calls": Count("pk", filter=Q(status=ToolCall.Status.SUCCESS)),
    "failure_calls": Count("pk", filter=Q(status=ToolCall.Status.ERROR)),
    "pending_calls": Count("pk", filter=Q(status=ToolCall.Status.PENDING)),
}


def tool_statistics(rows: QuerySet[ToolCall], *, zone: tzinfo) -> dict[str, Any]:
    """Return the figures of these tool calls (document 002, `get_tool_stats`).

    `success_rate` is from 0 to 1; days begin as in `zone`; execution times are seconds, over the calls that state one,
    and 0 where none does.
    """
    rows = rows.order_by()
    timed = {"measured_calls": Count("execution_time"), "avg_execution_time": Avg("execution_time")}
    totals = _rated(rows.aggregate(**_OUTCOMES, measured_calls=Count("execution_time")))
    return {
        **totals,
        **durations(rows, "execution_time"),
        "by_tool": _by_tool(rows, timed),
        "by_session": [_rated(row) for row in _by_session(rows, "total_calls", **_OUTCOMES)],
        "trend": [_rated(_timed(row)) for row in _by_day(rows, zone, **_OUTCOMES, **timed)],
    }


def _by_tool(rows: QuerySet[Any], timed: dict[str, Any]) -> list[dict[str, Any]]:
    groups = rows.values("tool_name").annotate(**_OUTCOMES, **timed).order_by("-total_calls", "tool_name")[:MOST_NAMED]
    found = [_rated(_timed(row)) for row in groups]
    placed = percentiles(rows.filter(tool_name__in=[row["tool_name"] for row in found]), "execution_time", "tool_name")
    for row in found:
        for name, value in placed.get(row["tool_name"], NO_PERCENTILES).items():
            row[f"{name}_execution_time"] = measured(value)
    return found


def _rated(row: dict[str, Any]) -> dict[str, Any]:
    return {**row, "success_rate": row["success_calls"] / row["total_calls"] if row["total_calls"] else 0.0}


def _timed(row: dict[str, Any]) -> dict[str, Any]:
    return {**row, "avg_execution_time": measured(row["avg_execution_time"])}


def error_statistics(rows: QuerySet[ErrorRecord], *, zone: tzinfo) -> dict[str, Any]:
    """Return the figures of these errors (document 000, 2.4.2): how many, of which type, where and when.

    Days begin as in `zone`.
    """
    rows = rows.order_by()
    totals = rows.aggregate(error_count=Count("pk"), session_count=Count("session", distinct=True))
    severities = {severity: Count("pk", filter=Q(severity=severity)) for severity in ErrorRecord.Severity.values}
    types = rows.values("error_type").annotate(count=Count("pk"), session_count=Count("session", distinct=True))
    return {
        **totals,
        "error_by_severity": rows.aggregate(**severities),
        "error_by_type": list(types.order_by("-count", "error_type")[:MOST_NAMED]),
        "error_by_session": list(_by_session(rows, "count", count=Count("pk"))),
        "error_trends": list(_by_day(rows, zone, count=Count("pk"))),
    }


def _by_session(rows: QuerySet[Any], largest: str, **figures: Any) -> list[dict[str, Any]]:
    """Return figures by session, those with the largest first."""
    groups = rows.values("session", "session__session_id").annotate(**figures)
    found = groups.order_by(f"-{largest}", "session")[:MOST_NAMED]
    return [{"session_id": row.pop("session__session_id"), **_without(row, "session")} for row in found]


def _without(row: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in row.items() if key != name}


def _by_day(rows: QuerySet[Any], zone: tzinfo, **figures: Any) -> list[dict[str, Any]]:
    """Return figures by day in a zone, for the days that have any, oldest first."""
    days = rows.annotate(date=local_day(rows, "timestamp", zone)).values("date").annotate(**figures)
    return list(days.order_by("date"))
