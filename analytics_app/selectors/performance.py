"""How fast models and tools answered, and how often something failed, over all sessions or in one (document 000)."""

from datetime import datetime
from typing import Any

from django.db.models import Avg, Count, Max, Min

from config.shared.callers import Caller
from history_app.models import ErrorRecord, LLMCall, Message, Metric, ToolCall
from history_app.selectors.session_figures import durations, measured
from sessions_app.models import Session

MINUTE = 60.0
MOST_METRICS = 100


def performance(*, caller: Caller, start: datetime, end: datetime, session: Session | None = None) -> dict[str, Any]:
    """Return the performance of a period, over all that the caller may see or in one session.

    Times are seconds, 0 where nothing was measured. `throughput` is LLM calls a minute of the period, `error_rate` the
    share of errors in messages, from 0 to 1. `metrics` are the agents' own, the 100 most frequent.
    """

    def rows(model: Any) -> Any:
        found = model.objects.visible_to(caller).filter(timestamp__gte=start, timestamp__lt=end)
        return found if session is None else found.filter(session=session)

    calls, tools = rows(LLMCall), rows(ToolCall)
    request_count, messages, errors = calls.count(), rows(Message).count(), rows(ErrorRecord).count()
    return {
        "start": start,
        "end": end,
        "session_id": None if session is None else session.session_id,
        "request_count": request_count,
        "tool_call_count": tools.count(),
        "message_count": messages,
        "error_count": errors,
        **durations(calls, "response_time"),
        **durations(tools, "execution_time"),
        "throughput": measured(request_count * MINUTE / (end - start).total_seconds()),
        "error_rate": min(errors / messages, 1.0) if messages else 0.0,
        "metrics": _metrics(rows(Metric)),
    }


def _metrics(rows: Any) -> list[dict[str, Any]]:
    value = "metric_value"
    grouped = (
        rows.order_by()
        .values("metric_type")
        .annotate(count=Count("pk"), average=Avg(value), least=Min(value), greatest=Max(value))
    )
    return list(grouped.order_by("-count", "metric_type")[:MOST_METRICS])
