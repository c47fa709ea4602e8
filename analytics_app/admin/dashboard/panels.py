"""Panels: one chart each with its table, made of the same series, so that neither says more than the other."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

Amount = int | float | Decimal | None


@dataclass(frozen=True)
class Series:
    """One colour of a chart, one column of its table: an amount for each step, None where there is none."""

    name: str
    amounts: Sequence[Amount]


@dataclass(frozen=True)
class Panel:
    """One chart and its table.

    `shape` is how the chart draws the series: "stacks" (bars on each other), "bars" or "lines". `shown` writes an
    amount for the table; `unit` tells the chart how to write its axis: "count", "money" or "seconds". `sums` are the
    amounts below the table, one a series, where adding them up makes sense.
    """

    key: str
    title: str
    steps_title: str
    steps: Sequence[str]
    series: Sequence[Series]
    shown: Callable[[Any], str]
    shape: str = "stacks"
    unit: str = "count"
    sums: Sequence[Amount] = ()
    sums_title: str = ""
    notes: Sequence[str] = ()

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to draw."""
        return not any(amount for each in self.series for amount in each.amounts)

    @property
    def data_id(self) -> str:
        """The id of the element that holds what the script draws."""
        return f"{self.key}-data"

    @property
    def chart(self) -> dict[str, Any]:
        """What the script draws: plain JSON."""
        return {
            "shape": self.shape,
            "unit": self.unit,
            "labels": list(self.steps),
            "series": [
                {"name": each.name, "amounts": [_plain(amount) for amount in each.amounts]} for each in self.series
            ],
        }

    @property
    def head(self) -> list[str]:
        """The titles of the table's columns."""
        return [each.name for each in self.series]

    @property
    def rows(self) -> list[tuple[str, list[str]]]:
        """The table: each row's name and amounts. Of days the newest comes first, empty ones are left out."""
        columns = [each.amounts for each in self.series]
        rows = [(step, [column[place] for column in columns]) for place, step in enumerate(self.steps)]
        filled = [(step, [self._cell(amount) for amount in amounts]) for step, amounts in rows if any(amounts)]
        return filled if self.shape == "bars" else filled[::-1]

    @property
    def foot(self) -> list[str]:
        """The sums below the table."""
        return [self._cell(amount) for amount in self.sums]

    def _cell(self, amount: Any) -> str:
        return "–" if amount is None or not amount else self.shown(amount)


def summed(series: Sequence[Series]) -> list[Amount]:
    """Return the sum of each series."""
    return [sum((amount or 0 for amount in each.amounts), Decimal(0)) for each in series]


def _plain(amount: Amount) -> int | float | None:
    return float(amount) if isinstance(amount, Decimal) else amount
