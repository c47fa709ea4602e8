"""A long tail: more records behind the watermark than are read at once, walked over from the newest on."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Q, QuerySet

from history_app.services.search_index.sources import SOURCES, to_ticks

FUTURE = 2**62


@dataclass(frozen=True)
class Tail:
    """What is left of the records behind the watermark: those behind the record `last`, newest first."""

    name: str
    rows: QuerySet[Any]
    chunk: int
    bound: int = FUTURE
    last: tuple[datetime, int] | None = None

    def newest(self, possible: Q | None) -> tuple[list[tuple[Any, ...]], "Tail | None"]:
        """Return the newest records, with the texts of those that may hold the needle, and what is left behind them."""
        rows = SOURCES[self.name].raw(self._rows_left(), texts_of=possible)
        found = list(rows[: self.chunk])
        return found, self._behind(*found[-1][:2]) if len(found) == self.chunk else None

    def _rows_left(self) -> QuerySet[Any]:
        rows = self.rows.order_by("-timestamp", "-pk")
        if self.last is None:
            return rows
        timestamp, pk = self.last
        # The bound on the first column alone is what lets an index find the place; a bare OR would not.
        behind = Q(timestamp__lt=timestamp) | Q(timestamp=timestamp, pk__lt=pk)
        return rows.filter(Q(timestamp__lte=timestamp) & behind)

    def _behind(self, pk: int, timestamp: datetime) -> "Tail":
        return Tail(self.name, self.rows, self.chunk, to_ticks(timestamp), (timestamp, pk))
