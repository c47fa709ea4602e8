"""Searching: the records whose text holds a query, newest first, exact at every moment.

The index names runs of records that may hold it. Those runs, the records behind the watermark and the changed ones are
compared themselves, the newest first, until the page is full.
"""

import heapq
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import count
from typing import Any

from django.db.models import Q, QuerySet

from config.shared.errors import Unavailable
from history_app.services.search_index.candidates import (
    Candidates,
    Crowd,
    IndexMoved,
    Runs,
    first_keys,
    ids_of,
    runs_in_time,
)
from history_app.services.search_index.choosing import EVERY, Choice, behind, between, one_of
from history_app.services.search_index.matching import Snippet, snippet_of
from history_app.services.search_index.needles import Needle
from history_app.services.search_index.position import RECORD_TYPES, Position
from history_app.services.search_index.postings import gram_key
from history_app.services.search_index.sources import SOURCES, from_ticks, to_ticks
from history_app.services.search_index.statements import Standing, standing_of
from history_app.services.search_index.tails import FUTURE, Tail

# One page looks at about so many records at most; what is behind them comes with the next page. One that the database
# hands over costs as much as several that it leaves out.
EFFORT_PER_PAGE = 250_000
EFFORT_HANDED_OVER = 8
CHARACTERS_PER_PAGE = 64 * 1024 * 1024
CHARACTERS_PER_QUERY = 2 * 1024 * 1024
# A page begins with as many runs as it has room for hits, but at least so many.
LEAST_RUNS, MOST_RUNS = 16, 4096
# The other grams of so many blocks are asked with the first statement, of twice as many with the next.
FIRST_BLOCKS = 16
# So few records of a narrow scope are looked at themselves, without the index.
NARROW = 1000
ATTEMPTS = 4
_LAST_ID = 2**63 - 1

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
class HitPage:
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
    narrow: bool = False,
) -> HitPage:
    """Return up to `size` records whose lowered text holds the lowered query, newest first, behind `after`.

    `scopes` are the rows to search, by record type; `start` (included) and `end` (excluded) bound their times; `narrow`
    says that they may be few, as those of one session are. Raises Unavailable when the index kept changing underneath.
    """
    for _attempt in range(ATTEMPTS):
        try:
            return _Search(Needle.of(query), scopes, size, _Bounds(start, end, after), narrow=narrow).page()
        except IndexMoved:
            continue
    raise Unavailable("The search index is being rebuilt; please try again.", retry_after=1)


@dataclass(frozen=True)
class Fresh:
    """Records that the index does not know, or no longer; how many there are about, and which ids they have."""

    name: str
    conditions: list[str]
    records: int
    bound: int = FUTURE
    count: int = 0


class _Bounds:
    """Which times a search is about; also in microseconds since 1970."""

    def __init__(self, start: datetime | None, end: datetime | None, after: Position | None) -> None:
        self.after = after
        self.since = -FUTURE if start is None else to_ticks(start)
        self.until = FUTURE if end is None else to_ticks(end)
        self.latest = FUTURE if after is None else to_ticks(after.timestamp)
        # The times of a block that may hold such a record: the newest from the first on, the oldest before the second.
        self.span = self.since, min(self.until, self.latest + 1)
        self.condition = Q()
        if start is not None:
            self.condition &= Q(timestamp__gte=start)
        if end is not None:
            self.condition &= Q(timestamp__lt=end)
        if after is not None:
            self.condition &= Q(timestamp__lte=after.timestamp)

    def within(self, rows: QuerySet[Any]) -> QuerySet[Any]:
        """Return the rows of these times."""
        return rows.filter(self.condition) if self.condition else rows

    def let_through(self, oldest: int, newest: int) -> bool:
        """Return whether records of these times may be meant."""
        return newest >= self.span[0] and oldest < self.span[1]


class _Search:
    """One search on its way: `units` are stretches that are still to be looked at, each with the newest time in it."""

    def __init__(self, needle: Needle, scopes: Scopes, size: int, bounds: _Bounds, *, narrow: bool) -> None:
        self.needle, self.size, self.bounds, self.narrow = needle, size, bounds, narrow
        self.scopes = {name: bounds.within(rows).order_by() for name, rows in scopes.items()}
        self.possible = {name: needle.possible_in(SOURCES[name]) for name in scopes}
        self.choices = {name: Choice(SOURCES[name], rows, self.possible[name]) for name, rows in self.scopes.items()}
        self.units: list[tuple[int, int, Any]] = []
        self.hits: list[tuple[int, int, int, Hit]] = []
        self.seen: set[tuple[str, int]] = set()
        self.numbers = count()
        self.effort = self.characters = 0
        self.runs, self.blocks = max(size, LEAST_RUNS), FIRST_BLOCKS

    def page(self) -> HitPage:
        """Return the page."""
        self._begin()
        found: list[Hit] = []
        while len(found) <= self.size:
            if self.hits and (not self.units or self.hits[0][0] < self.units[0][0]):
                found.append(heapq.heappop(self.hits)[-1])
            elif not self.units:
                return HitPage(found, None)
            elif self._spent():
                return HitPage(found, Position(from_ticks(-self.units[0][0]), RECORD_TYPES[-1], _LAST_ID))
            else:
                self._expand()
        return HitPage(found[: self.size], found[self.size - 1].position)

    def _begin(self) -> None:
        """Look at what is not in the index, and queue what is."""
        wide = [name for name in self.scopes if not (self.narrow and self._look_at_all(name))]
        if not wide:
            return
        keys = [gram_key(gram) for gram in self.needle.grams]
        standing = standing_of(wide, first_keys(keys), *self.bounds.span)
        for name in wide:
            self._queue_fresh(name, standing)
        telling = [one for one in standing.regions if self.bounds.let_through(one.oldest, one.newest)]
        if telling:
            for unit in Candidates(telling, keys, standing.pages).expand():
                self._push(unit)

    def _look_at_all(self, name: str) -> bool:
        """Look at all records of a scope, if they are few. Returns whether they were."""
        records = self.scopes[name].values("pk")[: NARROW + 1].count()
        if records <= NARROW:
            self._compare(name, [EVERY], records)
        return bool(records <= NARROW)

    def _queue_fresh(self, name: str, standing: Standing) -> None:
        """Queue what the index does not know: the records behind the watermark, and the changed ones."""
        watermark = max((one.last_id for one in standing.regions if one.record_type == name), default=0)
        waiting = standing.highest[name] - watermark
        changed = standing.changed[name]
        conditions = [one_of(changed)] if changed else []
        if waiting <= SOURCES[name].tail:
            # Without an upper bound: whatever is answered by now is found, also when it came a moment ago.
            conditions.append(behind(watermark))
        else:
            self._push(Tail(name, self.scopes[name].filter(pk__gt=watermark), SOURCES[name].tail))
        if conditions:
            self._push(Fresh(name, conditions, max(0, waiting) + len(changed)))

    def _push(self, unit: Any) -> None:
        bound = min(unit.bound, self.bounds.latest)
        heapq.heappush(self.units, (-bound, next(self.numbers), unit))

    def _spent(self) -> bool:
        """Return whether the page has looked at enough; a page never ends where it began."""
        if self.effort < EFFORT_PER_PAGE and self.characters < CHARACTERS_PER_PAGE:
            return False
        return -self.units[0][0] < self.bounds.latest

    def _expand(self) -> None:
        """Look closer at the newest units."""
        if units := self._next_records():
            before = self.characters
            self._compare_units(units)
            # More each time, as far as memory allows.
            if isinstance(units[-1], Runs) and self.characters - before < CHARACTERS_PER_QUERY:
                self.runs = min(2 * self.runs, MOST_RUNS)
        elif crowds := self._next_crowds():
            for run in runs_in_time(crowds, self.bounds.let_through):
                self._push(run)
        else:
            _bound, _number, unit = heapq.heappop(self.units)
            for inner in self._walked(unit) if isinstance(unit, Tail) else unit.expand():
                self._push(inner)

    def _next_crowds(self) -> list[Crowd]:
        """Take the newest blocks of many candidates off the queue, more each time."""
        crowds: list[Crowd] = []
        while len(crowds) < self.blocks and self.units and isinstance(self.units[0][2], Crowd):
            crowds.append(heapq.heappop(self.units)[2])
        self.blocks *= 2 if crowds else 1
        return crowds

    def _next_records(self) -> list[Fresh | Runs]:
        """Take the newest records that can be named off the queue."""
        found: list[Fresh | Runs] = []
        taken = 0
        while taken < self.runs and self.units and isinstance(self.units[0][2], Fresh | Runs):
            found.append(heapq.heappop(self.units)[2])
            taken += found[-1].count
        return found

    def _walked(self, tail: Tail) -> list[Tail]:
        """Look at the newest records of a long tail. Returns what is left of it."""
        rows, more = tail.newest(self.possible[tail.name])
        self._take(tail.name, rows)
        self.effort += tail.chunk
        return [more] if more else []

    def _compare_units(self, units: list[Fresh | Runs]) -> None:
        """Compare all records that are named, those of one type with one statement."""
        conditions: defaultdict[str, list[str]] = defaultdict(list)
        records: Counter[str] = Counter()
        for fresh in (unit for unit in units if isinstance(unit, Fresh)):
            conditions[fresh.name] += fresh.conditions
            records[fresh.name] += fresh.records
        for name, spans in ids_of(unit for unit in units if isinstance(unit, Runs)).items():
            condition, many = self._within(name, sorted(spans))
            conditions[name].append(condition)
            records[name] += many
        for name, some in conditions.items():
            self._compare(name, some, records[name])

    def _within(self, name: str, spans: list[tuple[int, int]]) -> tuple[str, int]:
        """Return the condition of these ids, from first to last and in order, and how many they are."""
        records = sum(last - first + 1 for first, last in spans)
        width = spans[-1][1] - spans[0][0] + 1
        if len(spans) == 1 or (width < 2 * records and self.possible[name]):
            return between(spans[0][0], spans[-1][1]), width
        return one_of(pk for first, last in spans for pk in range(first, last + 1)), records

    def _compare(self, name: str, conditions: list[str], records: int) -> None:
        """Compare some of a scope's records, about so many."""
        self._take(name, self.choices[name].read(conditions))
        self.effort += records

    def _take(self, name: str, rows: Iterable[tuple[Any, ...]]) -> None:
        """Compare records with the query, and keep those that hold it."""
        text_of, needle, after = SOURCES[name].text, self.needle.text, self.bounds.after
        for pk, timestamp, *columns in rows:
            text = text_of(*columns)
            self.effort += EFFORT_HANDED_OVER
            self.characters += len(text)
            snippet = snippet_of(text, needle)
            if snippet is None or (name, pk) in self.seen:
                continue
            self.seen.add((name, pk))
            if after is None or after.is_before(timestamp, name, pk):
                hit = Hit(name, pk, timestamp, snippet)
                heapq.heappush(self.hits, (-to_ticks(timestamp), -RECORD_TYPES.index(name), -pk, hit))
