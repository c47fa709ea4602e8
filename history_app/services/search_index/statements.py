"""What a search reads of the index: four statements in SQL that all three databases understand.

They are written by hand because a search is mostly them: the ORM would take longer to put them together than the
database to answer them.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db import connection

from history_app.models import SearchBlock, SearchDirty, SearchPage
from history_app.services.search_index.sources import SOURCES
from history_app.services.search_index.stretches import NO_RECORD

_BLOCK, _PAGE, _NOTE = (model._meta.db_table for model in (SearchBlock, SearchPage, SearchDirty))


@dataclass(frozen=True, slots=True)
class Region:
    """A block as a search sees it; times are microseconds since 1970."""

    block: int
    record_type: str
    first_id: int
    last_id: int
    pages: int
    oldest: int
    newest: int

    @property
    def runs(self) -> int:
        """How many runs it has."""
        return (self.last_id - self.first_id) // SOURCES[self.record_type].run + 1


@dataclass
class Standing:
    """How the index stands at one moment: its blocks, and by record type what changed, and the highest id."""

    regions: list[Region] = field(default_factory=list)
    changed: defaultdict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    highest: dict[str, int] = field(default_factory=dict)


def standing_of(record_types: Sequence[str]) -> Standing:
    """Return how the index stands for these record types.

    It is one statement, so that it is of one moment: whoever builds a block anew removes its notes and stores it at
    once, and a search that saw neither would miss what changed.
    """
    marks = ", ".join(["%s"] * len(record_types))
    columns = "id, record_type, first_id, last_id, pages, oldest, newest"
    parts = [
        f"SELECT 0, {columns} FROM {_BLOCK} WHERE record_type IN ({marks})",  # noqa: S608 - our own names
        f"SELECT 1, record_pk, record_type, 0, 0, 0, 0, 0 FROM {_NOTE} WHERE record_type IN ({marks})",  # noqa: S608
    ]
    highest = "SELECT 2, MAX(id), '{}', 0, 0, 0, 0, 0 FROM {}"
    parts += [highest.format(name, SOURCES[name].table) for name in record_types]
    found = Standing()
    for kind, number, record_type, *rest in _rows(" UNION ALL ".join(parts), [*record_types, *record_types]):
        if kind == 0:
            first_id, last_id, pages, oldest, newest = rest
            times = NO_RECORD if oldest is None else (oldest, newest)
            found.regions.append(Region(number, record_type, first_id, last_id, pages, *times))
        elif kind == 1:
            found.changed[record_type].append(number)
        else:
            found.highest[record_type] = number or 0
    return found


def pages_of(wanted: Iterable[tuple[list[int], list[int]]]) -> dict[tuple[int, int], bytes]:
    """Return pages by block and number; `wanted` are blocks, and the numbers that are wanted of each of them."""
    conditions, parameters = [], []
    for blocks, numbers in wanted:
        conditions.append(f"block_id IN ({_marks(blocks)}) AND number IN ({_marks(numbers)})")
        parameters += [*blocks, *numbers]
    statement = f"SELECT block_id, number, content FROM {_PAGE} WHERE {' OR '.join(conditions)}"  # noqa: S608
    return {(block, number): bytes(content) for block, number, content in _rows(statement, parameters)}


def stretches_of(blocks: Sequence[int]) -> dict[int, bytes]:
    """Return the times of the stretches of blocks."""
    statement = f"SELECT id, stretches FROM {_BLOCK} WHERE id IN ({_marks(blocks)})"  # noqa: S608
    return {block: bytes(times) for block, times in _rows(statement, list(blocks))}


def _marks(values: Sequence[int]) -> str:
    return ", ".join(["%s"] * len(values))


def _rows(statement: str, parameters: list[Any]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return list(cursor.fetchall())
