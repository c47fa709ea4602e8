"""The tail of a session: its records in the order in which they came, from any position on, each exactly once.

A position is one number a lane: the key of the last record that was read. A lane holds the records of one type that
came with their row, by its primary key (messages by their number); one more holds the arrivals of those that did not.
Who writes to a session holds the lock of its activity row before keys are given out, until the commit. So within one
session and lane keys become visible in their order, and nothing can ever appear before a position.
"""

import heapq
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from django.db.models import Exists, F, Max, OuterRef, QuerySet

from history_app.models import Arrival, LLMCall, TokenUsage
from history_app.selectors.record_forms import Record
from history_app.selectors.record_types import BY_NAME, RECORD_TYPES, RecordType
from history_app.selectors.tail_position import ARRIVALS, Position
from history_app.selectors.timeline import Key, Place, records_by_place
from sessions_app.models import Session

# SQLite's limit of parameters, as Django counts it, is 999.
IDS_PER_QUERY = 500
# The records that may share a row: the table, and the column that holds their id.
SHARING: dict[str, tuple[Any, str]] = {
    "llm_request": (LLMCall, "record_id"),
    "llm_response": (LLMCall, "response_record_id"),
    "cost": (TokenUsage, "cost_record_id"),
}


class Step(NamedTuple):
    """One record on the way: its lane, its number there, and where it stands; None where it is gone.

    `record_id` is that of a record that may move to another row.
    """

    lane: int
    number: int
    place: Place | None
    record_id: str | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """Records with the position after each, the position after all of them, and whether nothing was left behind."""

    records: list[tuple[Position, Record]]
    end: Position
    is_last: bool


def position_now(session: Session) -> Position:
    """Return the position behind everything that the session holds at this moment."""
    tables = {kind.model: kind.tie for kind in RECORD_TYPES}
    ends = {model: _greatest(model._default_manager.filter(session=session), tie) for model, tie in tables.items()}
    numbers = [ends[kind.model] for kind in RECORD_TYPES]
    return Position(session.pk, (*numbers, _greatest(Arrival.objects.filter(session=session), "id")))


def _greatest(rows: QuerySet[Any], column: str) -> int:
    # As an expression: a database that walks the primary key backwards until it meets the session may walk far.
    return int(rows.aggregate(greatest=Max(F(column) + 0))["greatest"] or 0)


def tail_page(session: Session, position: Position, kinds: Sequence[RecordType], *, limit: int) -> Page:
    """Return up to `limit` records of these types after the position.

    Types follow each other by time, as far as the order within each lane allows. A record of a type that is left out
    stays before the position's number of its lane.
    """
    steps, is_last = _steps(session, position, kinds, limit)
    found = records_by_place([step.place for step in steps if step.place], session.session_id, whole=False)
    records: list[tuple[Position, Record]] = []
    reached = position
    for step in steps:
        record = found.get(step.place.spot) if step.place else None
        if step.place and step.record_id and (record is None or record["record_id"] != step.record_id):
            # It has moved since it was looked up: the next page begins with it.
            return Page(records, reached, is_last=False)
        reached = reached.moved(step.lane, step.number)
        if record is not None:
            records.append((reached, record))
    return Page(records, reached, is_last)


def _steps(session: Session, position: Position, kinds: Sequence[RecordType], limit: int) -> tuple[list[Step], bool]:
    """Return the next steps over all lanes, and whether they are all there are."""
    lanes = [_own_rows(session, kind, position.numbers[kind.rank], limit) for kind in kinds]
    lanes.append(_arrived(session, kinds, position.numbers[ARRIVALS], limit))
    # Each lane stays in its own order; of the lanes' next steps the earliest one comes first.
    merged = list(heapq.merge(*lanes, key=_moment))
    return merged[:limit], len(merged) <= limit and all(len(lane) < limit for lane in lanes)


def _moment(step: Step) -> tuple[Any, ...]:
    """Return what decides between two lanes; what is gone is stepped over at once."""
    return (1, *step.place.key[:2]) if step.place else (0,)


def _own_rows(session: Session, kind: RecordType, after: int, limit: int) -> list[Step]:
    """Return the next records of a type that came with their row."""
    rows = kind.rows(session).filter(**{f"{kind.tie}__gt": after})
    if kind.name in SHARING:
        noted = Arrival.objects.filter(session=session, record_type=kind.name)
        rows = rows.exclude(Exists(noted.filter(record_id=OuterRef(SHARING[kind.name][1]))))
    # Ordered by an expression, the primary key is no tempting way through the rows of all other sessions.
    order = kind.tie if kind.tie == "sequence" else F(kind.tie) + 0
    found = rows.order_by(order).values_list(kind.time, kind.tie, "pk")[:limit]
    return [Step(kind.rank, number, Place(Key(at, kind.rank, number), kind, pk)) for at, number, pk in found]


def _arrived(session: Session, kinds: Iterable[RecordType], after: int, limit: int) -> list[Step]:
    """Return the next records that joined a row, or may move to another one, wherever they stand by now."""
    names = [kind.name for kind in kinds if kind.name in SHARING]
    if not names:
        return []
    noted = Arrival.objects.filter(session=session, pk__gt=after, record_type__in=names).order_by("pk")
    arrivals = list(noted.values_list("pk", "record_type", "record_id")[:limit])
    places: dict[tuple[str, str], Place] = {}
    for name in names:
        ids = [record_id for _pk, kind, record_id in arrivals if kind == name]
        places |= {(name, record_id): place for record_id, place in _standing(session, BY_NAME[name], ids)}
    return [Step(ARRIVALS, pk, places.get((kind, record_id)), record_id) for pk, kind, record_id in arrivals]


def _standing(session: Session, kind: RecordType, record_ids: Sequence[str]) -> Iterator[tuple[str, Place]]:
    column = SHARING[kind.name][1]
    for ids in _chunks(record_ids):
        rows = kind.rows(session).filter(**{f"{column}__in": ids}).values_list(column, kind.time, "pk")
        for record_id, at, pk in rows:
            yield record_id, Place(Key(at, kind.rank, pk), kind, pk)


def _chunks(values: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(values), IDS_PER_QUERY):
        yield values[start : start + IDS_PER_QUERY]


def revisions(session_pks: Collection[int]) -> dict[int, int]:
    """Return the revision of each of these sessions that is not deleted: it moves on with every new record."""
    found: dict[int, int] = {}
    ordered = sorted(session_pks)
    for start in range(0, len(ordered), IDS_PER_QUERY):
        rows = Session.objects.kept().filter(pk__in=ordered[start : start + IDS_PER_QUERY])
        found |= {pk: revision or 0 for pk, revision in rows.values_list("pk", "activity__revision")}
    return found
