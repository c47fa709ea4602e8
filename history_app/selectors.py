"""Reads of history that are not rows of one model."""

from collections.abc import Sequence
from typing import Any

from django.db.models import Count, QuerySet, Sum, TextField
from django.db.models.functions import Substr

from config.shared.fields import ExactSum
from history_app.models import Task, TokenUsage
from sessions_app.models import Session

# How many characters of a large document a list shows; the detail shows all of it.
BEGINNING_CHARACTERS = 2000


def with_beginnings(rows: QuerySet[Any], columns: Sequence[str]) -> QuerySet[Any]:
    """Return rows whose large JSON columns stay in the database, all but their first characters.

    Each column's beginning is `<column>_beginning`: one character longer than what is shown where there is more.
    """
    beginnings = {
        f"{column}_beginning": Substr(column, 1, BEGINNING_CHARACTERS + 1, output_field=TextField())
        for column in columns
    }
    found: QuerySet[Any] = rows.defer(*columns).annotate(**beginnings)
    return found


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
        "cost": None if usage["cost"] is None else format(usage["cost"], "f"),
    }
