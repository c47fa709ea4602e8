"""Metrics of one session in figures: what agents measured themselves (the `statistics` table of document 000)."""

from typing import Any

from django.db.models import Avg, Count, Max, Min

from history_app.models import Metric
from history_app.selectors.percentiles import percentiles
from sessions_app.models import Session

# How many metrics are named: those with the most values.
MOST_METRICS = 100
DIGITS = 9


def metric_figures(session: Session) -> list[dict[str, Any]]:
    """Return count, average, extremes and percentiles of each metric of the session, those with most values first."""
    rows = Metric.objects.in_session(session)
    figures = {"avg": Avg("metric_value"), "min": Min("metric_value"), "max": Max("metric_value")}
    groups = rows.order_by().values("metric_type").annotate(count=Count("pk"), **figures)
    found = list(groups.order_by("-count", "metric_type")[:MOST_METRICS])
    named = rows.filter(metric_type__in=[row["metric_type"] for row in found])
    placed = percentiles(named, "metric_value", "metric_type") if found else {}
    return [{**row, "avg": round(row["avg"], DIGITS), **placed[row["metric_type"]]} for row in found]
