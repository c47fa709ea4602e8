"""Searching: the records whose text holds a query, newest first, exact at every moment.

The index names runs of records that may hold it. Those runs, the records behind the watermark and the changed ones are
compared themselves, the newest first, until the page is full.
"""

import heapq
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import count
from typing import Any

from django.db.models import Q, QuerySet

from config.shared.errors import Unavailable
from history_app.models import SearchDirty
from history_app.services.search_index.candidates import (
    Candidates,
    IndexMoved,
    Run,
    TimedRuns,
    regions_of,
    runs_in_time,
)
from history_app.services.search_index.grams import query_grams
from history_app.services.search_index.matching import Snippet, snippet_of
from history_app.services.search_index.position import RECORD_TYPES, Position
from history_app.services.search_index.sources import SOURCES, from_ticks, to_ticks

# One page looks at most at about so much; what is behind it comes with the next page.
RECORDS_PER_PAGE = 20_000
CHARACTERS_PER_PAGE = 64 * 1024 * 1024
CHARACTERS_PER_QUERY = 2 * 1024 * 1024
FIRST_RUNS, MOST_RUNS = 32, 1024
ATTEMPTS = 4
_LAST_ID = 2**63 - 1
_FUTURE = 2**62

Scopes = Mapping[str, QuerySet[Any]]


@dataclass(frozen=True)
class Hit:
    """One record that holds the query."""

    record_type: str
    pk: int
    timestamp: datetime
    snippet: Snippet

    @property
    def position(self) -> Position:
        """Its place in the order of the answer."""
        return Position(self.timestamp, self.record_type, self.pk)


@dataclass(frozen=True)
class SearchPage:
    """Some of what was found, and where to go on: a page may hold fewer hits than asked for when `next` is given."""

    hits: list[Hit]
    next: Position | None


def search(
    *,
    query: str,
    scopes: Scopes,
    size: int,
    start: datetime | None = None,
    end: datetime | None = None,
    after: Position | None = None,
) -> SearchPage:
    """Return up to `size` records whose lowered text holds the lowered query, newest first, behind `after`.

    `scopes` are the rows to search, by record type; `start` (included) and `end` (excluded) bound their times.
    Raises Unavailable when the index kept changing underneath.
    """
    for _attempt in range(ATTEMPTS):
        try:
            return _Search(query.lower(), scopes, size, _Bounds(start, end, after)).page()
        except IndexMoved:
            continue
    raise Unavailable("The search index is being rebuilt; please try again.", retry_after=1)


class _Bounds:
    """Which times a search is about; also in microseconds since 1970."""

    def __init__(self, start: datetime | None, end: datetime | None, after: Position | None) -> None:
        self.after = after
        self.since = -_FUTURE if start is None else to_ticks(start)
        self.until = _FUTURE if end is None else to_ticks(end)
        self.latest = _FUTURE if after is None else to_ticks(after.timestamp)
        self.condition = Q()
        if start is not None:
            self.condition &= Q(timestamp__gte=start)
        if end is not None:
            self.condition &= Q(timestamp__lt=end)
        if after is not None:
            self.condition &= Q(timestamp__lte=after.timestamp)

    def let_through(self, oldest: int, newest: int) -> bool:
        """Return whether records of these times may be meant."""
        return newest >= self.since and oldest < self.until and oldest <= self.latest


class _Search:
    """One search on its way: `units` are stretches that are still to be looked at, each with the newest time in it."""

    def __init__(self, needle: str, scopes: Scopes, size: int, bounds: "_Bounds") -> None:
        self.needle, self.size, self.bounds = needle, size, bounds
        self.scopes = {name: rows.filter(bounds.condition).order_by() for name, rows in scopes.items()}
        self.units: list[tuple[int, int, Any]] = []
        self.hits: list[tuple[int, int, int, Hit]] = []
        self.seen: set[tuple[str, int]] = set()
        self.numbers = count()
        self.records = self.characters = 0
        self.runs, self.blocks = FIRST_RUNS, 1

    def page(self) -> SearchPage:
        """Return the page."""
        self._begin()
        found: list[Hit] = []
        while len(found) <= self.size:
            if self.hits and (not self.units or self.hits[0][0] < self.units[0][0]):
                found.append(heapq.heappop(self.hits)[-1])
            elif not self.units:
                return SearchPage(found, None)
            elif self._spent():
                return SearchPage(found, Position(from_ticks(-self.units[0][0]), RECORD_TYPES[-1], _LAST_ID))
            else:
                self._expand()
        return SearchPage(found[: self.size], found[self.size - 1].position)

    def _begin(self) -> None:
        """Look at what is not in the index, and queue what is.

        The notes of changes are read first: whoever builds a block anew removes its notes and stores it at once.
        """
        changed: defaultdict[str, list[int]] = defaultdict(list)
        notes = SearchDirty.objects.filter(record_type__in=self.scopes)
        for name, pk in notes.values_list("record_type", "record_pk"):
            changed[name].append(pk)
        regions = regions_of(self.scopes)
        for name in self.scopes:
            watermark = max((region.last_id for region in regions if region.record_type == name), default=0)
            self._look_at_tail(name, watermark)
            if changed[name]:
                self._compare(name, self.scopes[name].filter(pk__in=changed[name]))
        telling = [region for region in regions if self.bounds.let_through(region.oldest, region.newest)]
        if telling:
            self._push(Candidates(telling, query_grams(self.needle)))

    def _look_at_tail(self, name: str, watermark: int) -> None:
        behind = self.scopes[name].filter(pk__gt=watermark)
        source = SOURCES[name]
        rows = list(source.raw(behind.order_by("pk"))[: source.tail + 1])
        if len(rows) <= source.tail:
            self._take(name, rows)
        else:
            self._push(_Tail(name, behind, source.tail))

    def _push(self, unit: Any) -> None:
        bound = min(unit.bound, self.bounds.latest)
        heapq.heappush(self.units, (-bound, next(self.numbers), unit))

    def _spent(self) -> bool:
        """Return whether the page has looked at enough; a page never ends where it began."""
        if self.records < RECORDS_PER_PAGE and self.characters < CHARACTERS_PER_PAGE:
            return False
        return -self.units[0][0] < self.bounds.latest

    def _expand(self) -> None:
        """Look closer at the newest units."""
        runs = self._next_runs()
        if runs:
            before = self.characters
            for name, pks in runs.items():
                self._compare(name, self.scopes[name].filter(pk__in=pks))
            # More each time, as far as memory allows.
            if self.characters - before < CHARACTERS_PER_QUERY:
                self.runs = min(2 * self.runs, MOST_RUNS)
            return
        if blocks := self._next_blocks():
            for run in runs_in_time(blocks, self.bounds.let_through):
                self._push(run)
            return
        _bound, _number, unit = heapq.heappop(self.units)
        if isinstance(unit, _Tail):
            self._walk(unit)
        else:
            for inner in unit.expand():
                self._push(inner)

    def _next_blocks(self) -> list[TimedRuns]:
        """Take the newest blocks of many candidates off the queue, more each time."""
        blocks: list[TimedRuns] = []
        while len(blocks) < self.blocks and self.units and isinstance(self.units[0][2], TimedRuns):
            blocks.append(heapq.heappop(self.units)[2])
        if blocks:
            self.blocks *= 2
        return blocks

    def _next_runs(self) -> dict[str, list[int]]:
        """Take the newest runs off the queue and return the ids in them by record type."""
        pks: defaultdict[str, list[int]] = defaultdict(list)
        taken = 0
        while taken < self.runs and self.units and isinstance(self.units[0][2], Run):
            run = heapq.heappop(self.units)[2]
            pks[run.record_type].extend(run.pks)
            taken += 1
        return pks

    def _walk(self, tail: "_Tail") -> None:
        rows = list(SOURCES[tail.name].raw(tail.rows_left())[: tail.chunk])
        self._take(tail.name, rows)
        if len(rows) == tail.chunk:
            self._push(tail.behind(rows[-1][1], rows[-1][0]))

    def _compare(self, name: str, rows: QuerySet[Any]) -> None:
        self._take(name, SOURCES[name].raw(rows))

    def _take(self, name: str, rows: Iterable[tuple[Any, ...]]) -> None:
        """Compare records with the query, and keep those that hold it."""
        text_of = SOURCES[name].text
        for pk, timestamp, *columns in rows:
            text = text_of(*columns)
            self.records += 1
            self.characters += len(text)
            snippet = snippet_of(text, self.needle)
            if snippet is None or (name, pk) in self.seen:
                continue
            self.seen.add((name, pk))
            if self.bounds.after is None or self.bounds.after.is_before(timestamp, name, pk):
                hit = Hit(name, pk, timestamp, snippet)
                heapq.heappush(self.hits, (-to_ticks(timestamp), -RECORD_TYPES.index(name), -pk, hit))


@dataclass(frozen=True)
class _Tail:
    """A long row of records behind the watermark, from the newest on."""

    name: str
    rows: QuerySet[Any]
    chunk: int
    bound: int = _FUTURE
    last: tuple[datetime, int] | None = None

    def rows_left(self) -> QuerySet[Any]:
        """Return the rows that were not walked over, in order."""
        rows = self.rows.order_by("-timestamp", "-pk")
        if self.last is None:
            return rows
        timestamp, pk = self.last
        # The bound on the first column alone is what lets an index find the place; a bare OR would not.
        behind = Q(timestamp__lt=timestamp) | Q(timestamp=timestamp, pk__lt=pk)
        return rows.filter(Q(timestamp__lte=timestamp) & behind)

    def behind(self, timestamp: datetime, pk: int) -> "_Tail":
        """Return what is left behind this record."""
        return _Tail(self.name, self.rows, self.chunk, to_ticks(timestamp), (timestamp, pk))
