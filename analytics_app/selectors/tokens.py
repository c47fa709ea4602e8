"""Token figures as documents 000 and 001 ask for them: by day, by month, by user, and in one glance."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta, tzinfo
from decimal import Decimal
from typing import Any

from analytics_app.models import ModelUsage, UserUsage
from analytics_app.selectors.periods import day_bounds, month_bounds, months_until
from analytics_app.selectors.usage import added, usage_of_periods
from analytics_app.selectors.usage_groups import SUMS

Figures = dict[str, Any]
NOTHING: Figures = {name: Decimal(0) if name == "cost" else 0 for name in SUMS}


@dataclass(frozen=True, slots=True)
class Asked:
    """Who asks, by which clock: the projects (None for all), the zone of days and months, and the present moment."""

    projects: Collection[int] | None
    zone: tzinfo
    now: datetime

    @property
    def today(self) -> date:
        """The present day in the zone."""
        return self.now.astimezone(self.zone).date()


def tokens_by_day(asked: Asked, *, days: int) -> list[Figures]:
    """Return the figures of the last `days` days, today included, oldest first; days without use are there too."""
    first = asked.today - timedelta(days=days - 1)
    figures = _figures(asked, day_bounds(first, days, asked.zone))
    return [{"date": first + timedelta(days=place), **each} for place, each in enumerate(figures)]


def tokens_by_month(asked: Asked, *, months: int) -> list[Figures]:
    """Return the figures of the last `months` months, this one included, oldest first."""
    figures = _figures(asked, month_bounds(asked.today, months, asked.zone))
    named = [month.strftime("%Y-%m") for month in months_until(asked.today, months)]
    return [{"month": month, **each} for month, each in zip(named, figures, strict=True)]


def tokens_by_user(asked: Asked, *, day: date, top: int) -> list[Figures]:
    """Return the `top` users of a day by their tokens; uses that name no user stand under an empty id."""
    found = usage_of_periods(
        projects=asked.projects, bounds=day_bounds(day, 1, asked.zone), model=UserUsage, names=("user_id",)
    )
    rows = [{"user_id": user, **sums} for (_place, (user,)), sums in found.items()]
    rows.sort(key=lambda row: (-row["total_tokens"], row["user_id"]))
    return [{"rank": place, **row} for place, row in enumerate(rows[:top], 1)]


def token_dashboard(asked: Asked) -> Figures:
    """Return today beside yesterday (document 001): tokens, growth in percent, models, users, cost.

    The growth is None where yesterday had no tokens: nothing can be said of it then.
    """
    yesterday, today = _figures(asked, day_bounds(asked.today - timedelta(days=1), 2, asked.zone))
    before, now = yesterday["total_tokens"], today["total_tokens"]
    return {
        "date": asked.today,
        "today_tokens": now,
        "yesterday_tokens": before,
        "growth_rate": round((now - before) / before * 100, 2) if before else None,
        "model_usage": today["model_usage"],
        "user_count": today["user_count"],
        "today_cost": today["cost"],
        "yesterday_cost": yesterday["cost"],
        "unpriced": today["unpriced"],
    }


def _figures(asked: Asked, bounds: Sequence[datetime]) -> list[Figures]:
    """Return the figures of each of the periods between the bounds, with the tokens of each model and the users."""
    periods: list[Figures] = [{**NOTHING, "model_usage": {}, "user_count": 0} for _ in bounds[1:]]
    by_model = usage_of_periods(projects=asked.projects, bounds=bounds, model=ModelUsage, names=("model",))
    for (place, (model,)), sums in sorted(by_model.items()):
        period = periods[place]
        period |= added({name: period[name] for name in SUMS}, sums.values())
        if sums["total_tokens"]:
            period["model_usage"][model or "unknown"] = sums["total_tokens"]
    by_user = usage_of_periods(
        projects=asked.projects, bounds=bounds, model=UserUsage, names=("user_id",), sums=("uses", "cost")
    )
    for place, (user,) in by_user:
        periods[place]["user_count"] += user != ""
    return periods
