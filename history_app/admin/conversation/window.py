"""Which entries a page shows: a window over all kinds of facts of a session, in time order, moved by keys."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Self

from django.db.models import Model, Q

from history_app.models import ErrorRecord, LLMCall, Message, ToolCall
from sessions_app.models import Session

ENTRIES = 100
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_CURSOR = re.compile(r"(-?\d{1,17})\.(\d)\.(\d{1,18})")


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of fact of the conversation; at the same moment, the lower rank comes first."""

    name: str
    model: type[Model]
    rank: int
    # What orders facts of this kind within one moment.
    tie: str = "id"


KINDS = (
    Kind("message", Message, 0, tie="sequence"),
    Kind("llm_call", LLMCall, 1),
    Kind("tool_call", ToolCall, 2),
    Kind("error", ErrorRecord, 3),
)


@dataclass(frozen=True, slots=True, order=True)
class Key:
    """The place of one entry in the order of the conversation."""

    at: datetime
    rank: int
    tie: int

    def __str__(self) -> str:
        microseconds = (self.at - _EPOCH) // timedelta(microseconds=1)
        return f"{microseconds}.{self.rank}.{self.tie}"

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """Return the key that `str` made this text of, or None when it is none."""
        match = _CURSOR.fullmatch(text)
        if match is None:
            return None
        try:
            return cls(_EPOCH + timedelta(microseconds=int(match[1])), int(match[2]), int(match[3]))
        except OverflowError:
            return None


@dataclass(frozen=True, slots=True)
class Place:
    """One entry's key, and where its row is."""

    key: Key
    kind: Kind
    pk: int


@dataclass(frozen=True, slots=True)
class Window:
    """A page of places in time order; `earlier` and `later` are the keys to go on from, where there is more."""

    places: list[Place]
    earlier: Key | None
    later: Key | None


def window_after(session: Session, kinds: tuple[Kind, ...], key: Key | None) -> Window:
    """Return the entries after the key, or the first ones."""
    places, more = _take(session, kinds, key, lambda kind: _beyond(kind, key, "gt"), sign="")
    return Window(places, places[0].key if key and places else None, places[-1].key if more else None)


def window_before(session: Session, kinds: tuple[Kind, ...], key: Key | None) -> Window:
    """Return the entries before the key, or the newest ones, in time order."""
    places, more = _take(session, kinds, key, lambda kind: _beyond(kind, key, "lt"), sign="-")
    places.reverse()
    return Window(places, places[0].key if more else None, places[-1].key if key and places else None)


def _take(
    session: Session, kinds: tuple[Kind, ...], key: Key | None, beyond: Callable[[Kind], Q], sign: str
) -> tuple[list[Place], bool]:
    """Return up to ENTRIES places in the direction of `sign`, and whether there are more.

    Only keys are read here, one query a kind: the order is by time, which needs a sort of the session's rows, and that
    must not touch their contents.
    """
    found = []
    for kind in kinds:
        rows = kind.model._default_manager.filter(beyond(kind), session=session)
        keys = rows.order_by(f"{sign}timestamp", f"{sign}{kind.tie}").values_list("timestamp", kind.tie, "pk")
        found += [Place(Key(at, kind.rank, tie), kind, pk) for at, tie, pk in keys[: ENTRIES + 1]]
    found.sort(key=lambda place: place.key, reverse=bool(sign))
    return found[:ENTRIES], len(found) > ENTRIES


def _beyond(kind: Kind, key: Key | None, side: str) -> Q:
    """Return the condition that a row of this kind stands beyond the key."""
    if key is None:
        return Q()
    later = Q(**{f"timestamp__{side}": key.at})
    if kind.rank == key.rank:
        return later | Q(timestamp=key.at, **{f"{kind.tie}__{side}": key.tie})
    same_moment_counts = kind.rank > key.rank if side == "gt" else kind.rank < key.rank
    return later | Q(timestamp=key.at) if same_moment_counts else later
