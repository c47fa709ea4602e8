"""What one user has used, over all sessions."""

from typing import Any

from django.db.models import Count, Sum

from config.shared.fields import ExactSum, amount_text
from history_app.models import Task, TokenUsage
from sessions_app.models import Session


def usage_stats_of_user(project_id: int, user_id: str) -> dict[str, Any]:
    """Return what a user has used, counted from what is stored now (document 002, `usage_stats`).

    `cost` is the exact sum in USD of the costs that are known, as text, or None when none is.
    """
    sessions = Session.objects.filter(project_id=project_id, user_id=user_id)
    usage = TokenUsage.objects.filter(project_id=project_id, user_id=user_id).aggregate(
        calls=Count("pk"),
        total=Sum("total_tokens"),
        prompt=Sum("prompt_tokens"),
        completion=Sum("completion_tokens"),
        cost=ExactSum("cost"),
    )
    return {
        "session_count": sessions.count(),
        "task_count": Task.objects.filter(session__in=sessions).count(),
        "usage_count": usage["calls"],
        "total_tokens": usage["total"] or 0,
        "prompt_tokens": usage["prompt"] or 0,
        "completion_tokens": usage["completion"] or 0,
        "cost": None if usage["cost"] is None else amount_text(usage["cost"]),
    }
