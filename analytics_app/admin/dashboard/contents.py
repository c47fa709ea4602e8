"""What the dashboard shows of a period: a figure in each tile, and a panel for each question."""

from collections import defaultdict
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from analytics_app.admin.dashboard.choice import Choice
from analytics_app.admin.dashboard.panels import Amount, Panel, Series, summed
from analytics_app.models import ModelUsage
from analytics_app.selectors.errors import error_types, errors_by_severity
from analytics_app.selectors.response_times import ResponseTimes, response_times
from analytics_app.selectors.sessions import sessions_by_status
from analytics_app.selectors.usage import Found, usage_of_periods
from config.shared.admin.numbers import shown_money, shown_number
from history_app.models import ErrorRecord
from sessions_app.models import Session

# So many models have a colour of their own; the others are shown as one.
MODELS_NAMED = 6
TYPES_NAMED = 8
Tile = tuple[str, str, str]


class Contents:
    """The tiles and panels of one choice; each topic asks its questions once, when it is added."""

    def __init__(self, choice: Choice) -> None:
        self.choice = choice
        self.bounds, self.names = choice.steps.bounds, choice.steps.names
        self.step_title = _("day") if choice.steps.by_day else _("month")
        self.tiles: list[Tile] = []
        self.panels: list[Panel] = []

    def add_usage(self) -> None:
        """Add tokens and costs by step and model."""
        found = usage_of_periods(
            projects=self.choice.caller.project_ids,
            bounds=self.bounds,
            model=ModelUsage,
            names=("model",),
            sums=("total_tokens", "cost", "unpriced"),
        )
        tokens, costs = self._by_model(found, "total_tokens"), self._by_model(found, "cost")
        unpriced = sum(sums["unpriced"] for sums in found.values())
        note = ngettext("%s use without a price", "%s uses without a price", unpriced) % shown_number(unpriced)
        self.tiles += [
            (_("Tokens"), shown_number(_whole(tokens)), ""),
            (_("Cost (USD)"), shown_money(Decimal(_whole(costs))), note if unpriced else ""),
        ]
        self.panels += [
            self._panel("tokens", _("Tokens by model"), tokens, shown=shown_number),
            self._panel("costs", _("Cost by model (USD)"), costs, shown=shown_money, unit="money"),
        ]

    def add_sessions(self) -> None:
        """Add how many sessions began, by where they stand."""
        found = sessions_by_status(caller=self.choice.caller, start=self.bounds[0], end=self.bounds[-1])
        labels = [str(Session.Status(status).label) for status in found]
        self.tiles.append((_("Sessions"), shown_number(sum(found.values())), ""))
        self.panels.append(
            Panel(
                key="sessions",
                title=_("Sessions by status"),
                steps_title=_("status"),
                steps=labels,
                series=[Series(_("sessions"), list(found.values()))],
                shown=shown_number,
                shape="bars",
                sums=[sum(found.values())],
                sums_title=_("all"),
            )
        )

    def add_errors(self) -> None:
        """Add errors by step and severity, and by type."""
        found = errors_by_severity(caller=self.choice.caller, bounds=self.bounds)
        severities = [name for name in reversed(ErrorRecord.Severity) if any(each == name for _place, each in found)]
        places = range(len(self.names))
        series = [Series(str(name.label), [found.get((place, name), 0) for place in places]) for name in severities]
        types = error_types(caller=self.choice.caller, bounds=self.bounds, top=TYPES_NAMED)
        self.tiles.append((_("Errors"), shown_number(sum(found.values())), ""))
        self.panels += [
            self._panel("errors", _("Errors by severity"), series, shown=shown_number),
            Panel(
                key="error-types",
                title=_("Most frequent errors"),
                steps_title=_("type"),
                steps=[name for name, _count in types],
                series=[Series(_("errors"), [count for _name, count in types])],
                shown=shown_number,
                shape="bars",
            ),
        ]

    def add_response_times(self) -> None:
        """Add how long models took to answer."""
        found = response_times(caller=self.choice.caller, bounds=self.bounds)
        whole = found.whole
        text = "–" if whole is None else f"{shown_seconds(whole.p50)} / {shown_seconds(whole.p95)}"
        self.tiles.append((_("Response time, half / 95 %"), text, ""))
        series = [
            Series(_("half within"), [part and part.p50 for part in found.parts]),
            Series(_("95 % within"), [part and part.p95 for part in found.parts]),
        ]
        title = _("Response times of models (seconds)")
        notes = _sampled(found)
        self.panels.append(
            self._panel("times", title, series, shown=shown_seconds, unit="seconds", shape="lines", notes=notes)
        )

    def _by_model(self, found: Found, name: str) -> list[Series]:
        """Return a series for each model, the largest first, and one for all the others."""
        amounts: defaultdict[str, list[Any]] = defaultdict(
            lambda: [Decimal(0) if name == "cost" else 0] * len(self.names)
        )
        for (place, (model,)), sums in found.items():
            amounts[model][place] += sums[name]
        largest = sorted(amounts, key=lambda model: (-sum(amounts[model]), model))
        named = [model for model in largest if any(amounts[model])][:MODELS_NAMED]
        series = [Series(model or _("unknown"), amounts[model]) for model in named]
        others = [amounts[model] for model in largest if model not in named and any(amounts[model])]
        if others:
            title = ngettext("%d other", "%d others", len(others)) % len(others)
            series.append(Series(title, [sum(column) for column in zip(*others, strict=True)]))
        return series

    def _panel(self, key: str, title: str, series: Sequence[Series], **more: Any) -> Panel:
        """Return a panel over the steps of the period; what can be added up has its sums below."""
        sums: Sequence[Amount] = () if more.get("shape") == "lines" else summed(series)
        return Panel(
            key=key,
            title=title,
            steps_title=self.step_title,
            steps=self.names,
            series=series,
            sums=sums,
            sums_title=_("all"),
            **more,
        )


def shown_seconds(seconds: float) -> str:
    """Return a duration for people: three digits are enough to compare."""
    return f"{seconds:,.2f} s" if seconds < 100 else f"{seconds:,.0f} s"  # noqa: PLR2004


def _whole(series: Sequence[Series]) -> Any:
    return sum(summed(series), Decimal(0)) if series else 0


def _sampled(found: ResponseTimes) -> list[str]:
    return [_("There are many calls: one in %d of them was looked at.") % found.step] if found.step > 1 else []
