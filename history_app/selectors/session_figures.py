"""Figures of one session: its summary, statistics and performance (documents 000 and 001), over all its records."""

from datetime import datetime
from typing import Any

from django.db.models import Avg, Count, Max, Min, Sum

from config.shared.fields import ExactSum, amount_text
from history_app.models import ErrorRecord, LLMCall, Message, TokenUsage, ToolCall
from history_app.selectors.metric_figures import metric_figures
from history_app.selectors.percentiles import NO_PERCENTILES, percentiles
from history_app.selectors.record_types import COST_ALONE, RECORD_TYPES
from sessions_app.models import Session

WHOLE = 100.0
DIGITS = 9
MINUTE = 60


def session_summary(session: Session) -> dict[str, Any]:
    """Return how many messages there are, from when to when, and how many seconds lie between (document 001)."""
    found = Message.objects.in_session(session).aggregate(
        count=Count("pk"), first=Min("timestamp"), last=Max("timestamp")
    )
    return {
        "session_id": session.session_id,
        "message_count": found["count"],
        "start_time": found["first"],
        "end_time": found["last"],
        "duration": seconds_between(found["first"], found["last"]),
    }


def session_statistics(session: Session) -> dict[str, Any]:
    """Return what happened in the session: counts by record type, tokens and cost, and from when to when.

    `success_rate` is the share of messages without an error, in percent (document 000), and never below 0. Tokens are
    those of `token_usage` records; the cost is the exact sum in USD of those that are known, None where none is.
    """
    extents = {
        kind.name: kind.rows(session).aggregate(count=Count("pk"), first=Min(kind.time), last=Max(kind.time))
        for kind in RECORD_TYPES
    }
    counts = {name: extent["count"] for name, extent in extents.items()}
    start = min((extent["first"] for extent in extents.values() if extent["first"]), default=None)
    end = max((extent["last"] for extent in extents.values() if extent["last"]), default=None)
    roles = Message.objects.in_session(session).order_by("role").values_list("role").annotate(Count("pk"))
    messages, errors = counts["message"], counts["error"]
    return {
        "session_id": session.session_id,
        "total_messages": messages,
        "total_tool_calls": counts["tool_call"],
        "total_llm_calls": LLMCall.objects.in_session(session).count(),
        "total_errors": errors,
        "start_time": start,
        "end_time": end,
        "duration_seconds": seconds_between(start, end),
        "success_rate": max(messages - errors, 0) / messages * WHOLE if messages else WHOLE,
        **_tokens_and_cost(session),
        "messages_by_role": dict(roles),
        "records_by_type": counts,
    }


def _tokens_and_cost(session: Session) -> dict[str, Any]:
    used = ~COST_ALONE
    found = TokenUsage.objects.in_session(session).aggregate(
        total_prompt_tokens=Sum("prompt_tokens", filter=used),
        total_completion_tokens=Sum("completion_tokens", filter=used),
        total_tokens=Sum("total_tokens", filter=used),
        total_cost=ExactSum("cost"),
    )
    cost = found.pop("total_cost")
    sums = {name: value or 0 for name, value in found.items()}
    return {**sums, "total_cost": None if cost is None else amount_text(cost)}


def session_performance(session: Session) -> dict[str, Any]:
    """Return how long models and tools took, in seconds, how much was done, and what the agent measured (document 000).

    `request_count` counts the answers whose response time is known. `throughput` is model requests a minute, from the
    first one to the last answer; `error_rate` is errors a message, from 0 to 1. Where nothing was measured, it is 0.
    """
    calls = LLMCall.objects.in_session(session)
    messages = Message.objects.in_session(session).count()
    errors = ErrorRecord.objects.in_session(session).count()
    return {
        "session_id": session.session_id,
        "request_count": calls.exclude(response_time=None).count(),
        **durations(calls, "response_time"),
        **durations(ToolCall.objects.in_session(session), "execution_time"),
        "throughput": _throughput(calls),
        "error_rate": min(errors / messages, 1.0) if messages else 0.0,
        "total_tokens": _tokens_and_cost(session)["total_tokens"],
        "metrics": metric_figures(session),
    }


def _throughput(calls: Any) -> float:
    found = calls.aggregate(count=Count("pk"), first=Min("timestamp"), asked=Max("timestamp"), last=Max("responded_at"))
    if found["first"] is None:
        return 0.0
    seconds = seconds_between(found["first"], max(found["asked"], found["last"] or found["asked"]))
    return measured(found["count"] * MINUTE / seconds) if seconds else 0.0


def durations(rows: Any, column: str) -> dict[str, Any]:
    """Return average, extremes and percentiles of a column of durations, each named `<what>_<column>`."""
    found = rows.aggregate(avg=Avg(column), max=Max(column), min=Min(column))
    found |= percentiles(rows, column).get(None, NO_PERCENTILES)
    return {f"{what}_{column}": measured(value) for what, value in found.items()}


def measured(value: float | None) -> float:
    """Return a duration to the nanosecond, which is the same on every database; 0 where nothing was measured."""
    return round(value or 0, DIGITS)


def seconds_between(start: datetime | None, end: datetime | None) -> float:
    """Return the seconds from one moment to another; 0 where one is missing."""
    return (end - start).total_seconds() if start and end else 0
