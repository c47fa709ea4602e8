"""What stands around the conversation: totals on top, the state and the tasks at the side."""

from typing import Any

from django.db.models import Count, F, Q, Sum
from django.db.models.functions import Coalesce

from config.shared.admin.numbers import shown_money, shown_number
from config.shared.admin.shown import MASK, pretty_json
from config.shared.fields import ExactSum
from history_app.models import ErrorRecord, LLMCall, Task, TokenUsage, ToolCall
from sessions_app.models import Session, SessionState

TASKS_SHOWN = 10


def usage_totals(session: Session) -> dict[str, Any]:
    """Return tokens and cost of the session in readable form, by one query.

    A row that reports only its parts counts with their sum; `unpriced` is how many rows have no known cost.
    """
    parts = Coalesce(F("prompt_tokens"), 0) + Coalesce(F("completion_tokens"), 0)
    totals = TokenUsage.objects.filter(session=session).aggregate(
        prompt=Sum("prompt_tokens"),
        completion=Sum("completion_tokens"),
        total=Sum(Coalesce(F("total_tokens"), parts)),
        spent=ExactSum("cost"),
        unpriced=Count("pk", filter=Q(cost__isnull=True)),
    )
    return {
        "tokens": shown_number(totals["total"]),
        "prompt": shown_number(totals["prompt"]),
        "completion": shown_number(totals["completion"]),
        "cost": shown_money(totals["spent"]),
        "unpriced": totals["unpriced"],
    }


def counts_of(session: Session) -> dict[str, str]:
    """Return how many messages, calls and errors the session holds, in readable form."""
    activity = getattr(session, "activity", None)
    counts = {
        "messages": activity.message_count if activity else 0,
        "tool_calls": ToolCall.objects.filter(session=session).count(),
        "llm_calls": LLMCall.objects.filter(session=session).count(),
        "errors": ErrorRecord.objects.filter(session=session).count(),
    }
    return {name: shown_number(count) for name, count in counts.items()}


def current_state(session: Session, masked: bool) -> dict[str, Any] | None:
    """Return the newest version of the session's state with its documents readable, or None."""
    state = SessionState.objects.filter(session=session).order_by("-version").first()
    if state is None:
        return None
    documents = {"data": state.data, "tool_results": state.tool_results, "errors": state.errors}
    shown = {name: MASK if masked else pretty_json(value) for name, value in documents.items() if value}
    return {"row": state, "documents": shown}


def newest_tasks(session: Session) -> list[Task]:
    """Return the session's newest tasks, each with its subtasks, by two queries."""
    tasks = Task.objects.filter(session=session).defer("results", "metadata").order_by("-created_at", "-pk")
    return list(tasks.prefetch_related("subtasks")[:TASKS_SHOWN])
