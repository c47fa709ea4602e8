"""What a benchmark says: one line a work, ours beside the limit, printed and written down."""

import statistics
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from tests.bench.sections import machine


@dataclass(frozen=True)
class Line:
    """One measured work. `ours` and `limit` are medians of the same unit; `goal` is the bound on the ratio."""

    work: str
    ours: float
    limit: float
    unit: str
    goal: str
    note: str = ""

    @property
    def ratio(self) -> float:
        """Ours over the limit."""
        return self.ours / self.limit if self.limit else float("nan")

    def cells(self) -> list[str]:
        """Return the line as texts for a table."""
        return [
            self.work,
            f"{self.ours:,.1f}",
            f"{self.limit:,.1f}",
            self.unit,
            f"{self.ratio:.2f}",
            self.goal,
            self.note,
        ]


HEAD = ["work", "ours", "limit", "unit", "ratio", "goal", "note"]


def median_ms(seconds: list[float]) -> float:
    """Return the median of some durations, in milliseconds."""
    return statistics.median(seconds) * 1000


def table(lines: list[Line]) -> str:
    """Return the lines as a Markdown table."""
    rows = [HEAD, ["---"] * len(HEAD), *[line.cells() for line in lines]]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def write(path: Path, sections: dict[str, list[Line]]) -> None:
    """Write the benchmark page: where it was measured, how to repeat it, and every line.

    Sections that were not measured now stay as they are, with the day of their own measurement.
    """
    kept = _sections_of(path.read_text(encoding="utf-8")) if path.exists() else {}
    today = f"{datetime.now(UTC):%Y-%m-%d}"
    tables = {
        **kept,
        **{title: f"Measured {today} on {machine()}.\n\n{table(lines)}" for title, lines in sections.items()},
    }
    parts = [
        "# Benchmarks",
        "",
        "Written by `make bench ARGS=--write`. Only the ratios count: ours and the limit are measured in turn, within",
        "one run, on one small and noisy machine. The limit is the same rows without AgentLedger, by the shortest way",
        "that there is; the note of each line says which.",
    ]
    for title, text in tables.items():
        parts += ["", f"## {title}", "", text]
    path.write_text("\n".join(parts) + "\n", encoding="utf-8")


def _sections_of(page: str) -> dict[str, str]:
    """Return the sections of a page by their titles."""
    found = (part.partition("\n") for part in page.split("\n## ")[1:])
    return {title: text.strip("\n") for title, _line, text in found}
