"""The timeline of a session: the records of every type in the order of time, in pages by key.

Only keys are read in order, one small query a type, and then the rows of the page by primary key: the order needs a
sort of the session's rows, which must not touch their contents. (An index by session and time would slow down every
append; see docs/decisions.md.)
"""

from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from django.db.models import Q, QuerySet

from history_app.selectors.record_forms import Record, record_of
from history_app.selectors.record_rows import rows_read
from history_app.selectors.record_types import RecordType
from sessions_app.models import Session

Spot = tuple[str, int]
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Key(NamedTuple):
    """The place of one record: its moment, the rank of its type, and what orders records of the type."""

    at: datetime
    rank: int
    tie: int

    def packed(self) -> list[int]:
        """Return the key as plain numbers, for a cursor."""
        return [(self.at - _EPOCH) // timedelta(microseconds=1), self.rank, self.tie]

    @classmethod
    def unpacked(cls, numbers: Sequence[int]) -> "Key":
        """Return the key that `packed` made these numbers of."""
        microseconds, rank, tie = numbers
        return cls(_EPOCH + timedelta(microseconds=microseconds), rank, tie)


class Place(NamedTuple):
    """One record's key, and the row that holds it."""

    key: Key
    kind: RecordType
    pk: int

    @property
    def spot(self) -> Spot:
        """What tells the record from all others: its type and its row."""
        return self.kind.name, self.pk


class Period(NamedTuple):
    """From `start` (included) to `end` (excluded); None leaves a side open."""

    start: datetime | None = None
    end: datetime | None = None


def timeline_places(
    session: Session,
    kinds: Sequence[RecordType],
    period: Period,
    *,
    limit: int,
    beyond: Key | None = None,
    backwards: bool = False,
) -> list[Place]:
    """Return up to `limit` places beyond a key: after it, or with `backwards` before it, nearest first."""
    sign, side = ("-", "lt") if backwards else ("", "gt")
    found: list[Place] = []
    for kind in kinds:
        rows = _within(kind, kind.rows(session), period)
        if beyond is not None:
            rows = rows.filter(_beyond(kind, beyond, side))
        keys = rows.order_by(f"{sign}{kind.time}", f"{sign}{kind.tie}").values_list(kind.time, kind.tie, "pk")
        found += [Place(Key(at, kind.rank, tie), kind, pk) for at, tie, pk in keys[:limit]]
    found.sort(key=lambda place: place.key, reverse=backwards)
    return found[:limit]


def timeline_count(session: Session, kinds: Sequence[RecordType], period: Period) -> int:
    """Return how many records of these types there are in the period."""
    return sum(_within(kind, kind.rows(session), period).count() for kind in kinds)


def _within(kind: RecordType, rows: QuerySet[Any], period: Period) -> QuerySet[Any]:
    if period.start is not None:
        rows = rows.filter(**{f"{kind.time}__gte": period.start})
    if period.end is not None:
        rows = rows.filter(**{f"{kind.time}__lt": period.end})
    return rows


def _beyond(kind: RecordType, key: Key, side: str) -> Q:
    """Return the condition that a record of this type stands beyond the key."""
    later = Q(**{f"{kind.time}__{side}": key.at})
    same_moment = Q(**{kind.time: key.at})
    if kind.rank == key.rank:
        return later | (same_moment & Q(**{f"{kind.tie}__{side}": key.tie}))
    same_moment_counts = kind.rank > key.rank if side == "gt" else kind.rank < key.rank
    return later | same_moment if same_moment_counts else later


def records_at(places: Sequence[Place], session_id: str, *, whole: bool) -> list[Record]:
    """Return the records at these places, in their order, with one query a table; rows that are gone are left out."""
    found = records_by_place(places, session_id, whole=whole)
    return [found[place.spot] for place in places if place.spot in found]


def records_by_place(places: Sequence[Place], session_id: str, *, whole: bool) -> dict[Spot, Record]:
    """Return the records at these places by their spots, with one query a table; rows that are gone are left out."""
    wanted: defaultdict[Any, set[int]] = defaultdict(set)
    for place in places:
        wanted[place.kind.model].add(place.pk)
    rows = {model: rows_read(model, pks, whole=whole) for model, pks in wanted.items()}
    return {
        place.spot: record_of(place.kind.name, rows[place.kind.model][place.pk], session_id)
        for place in places
        if place.pk in rows[place.kind.model]
    }
