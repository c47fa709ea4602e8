"""What a search reads of the index: two statements in SQL that all three databases understand.

They are written by hand because a search is mostly them: the ORM would take longer to put them together than the
database to answer them.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import psycopg
from django.db import connection
from django.db.backends.utils import CursorWrapper

from history_app.models import SearchBlock, SearchDirty, SearchPage
from history_app.services.search_index.sources import SOURCES
from history_app.services.search_index.stretches import NO_RECORD

_BLOCK, _PAGE, _NOTE = (model._meta.db_table for model in (SearchBlock, SearchPage, SearchDirty))

# What a row of the first statement is about.
_OF_BLOCK, _OF_NOTE, _OF_TABLE, _OF_PAGE = range(4)
# The pages of so many blocks are read with one statement.
BLOCKS_PER_QUERY = 256


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
    """How the index stands at one moment.

    Its blocks, the first pages of the newest ones, and by record type what changed, and the highest id.
    """

    regions: list[Region] = field(default_factory=list)
    pages: dict[tuple[int, int], bytes] = field(default_factory=dict)
    changed: defaultdict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    highest: dict[str, int] = field(default_factory=dict)


def standing_of(record_types: Sequence[str], keys: Sequence[int], since: int, until: int) -> Standing:
    """Return how the index stands for these record types.

    The pages are those that hold the keys, of the newest blocks with times from `since` to before `until`.

    It is one statement, so that it is of one moment: whoever builds a block anew removes its notes and stores it at
    once, and a search that saw neither would miss what changed.
    """
    named = "record_type IN ({})".format(", ".join(["%s"] * len(record_types)))
    columns = "id, record_type, first_id, last_id, pages, oldest, newest"
    # The pages come first: their content says of which type the last column is. A column holds values of one kind, or
    # MariaDB answers with decimals.
    parts = [
        *([_pages_of_newest(named, keys)] if keys else ()),
        f"SELECT {_OF_BLOCK}, {columns}, NULL FROM {_BLOCK} WHERE {named}",  # noqa: S608 - our own names
        f"SELECT {_OF_NOTE}, record_pk, record_type, 0, 0, 0, 0, 0, NULL FROM {_NOTE} WHERE {named}",  # noqa: S608
    ]
    highest = "SELECT {}, MAX(id), '{}', 0, 0, 0, 0, 0, NULL FROM {}"
    parts += [highest.format(_OF_TABLE, name, SOURCES[name].table) for name in record_types]
    parameters = [*record_types, since, until] if keys else []
    found = Standing()
    for kind, number, name, *rest in _rows(" UNION ALL ".join(parts), [*parameters, *record_types, *record_types]):
        if kind == _OF_BLOCK:
            first_id, last_id, pages, oldest, newest = rest[:-1]
            times = NO_RECORD if oldest is None else (oldest, newest)
            found.regions.append(Region(number, name, first_id, last_id, pages, *times))
        elif kind == _OF_NOTE:
            found.changed[name].append(number)
        elif kind == _OF_PAGE:
            found.pages[number, rest[2]] = bytes(rest[-1])
        else:
            found.highest[name] = number or 0
    return found


def _pages_of_newest(named: str, keys: Sequence[int]) -> str:
    wanted = " UNION ALL ".join(f"SELECT {key} AS gram" for key in keys)
    newest = (
        f"SELECT id, record_type, pages FROM {_BLOCK} WHERE {named} AND newest >= %s AND oldest < %s "  # noqa: S608
        f"ORDER BY newest DESC, id DESC LIMIT {BLOCKS_PER_QUERY}"
    )
    return (
        f"SELECT {_OF_PAGE}, b.id, b.record_type, 0, 0, p.number, 0, 0, p.content FROM ({newest}) b "  # noqa: S608
        f"CROSS JOIN ({wanted}) g JOIN {_PAGE} p ON p.block_id = b.id AND p.number = g.gram %% b.pages"
    )


def pages_of(
    wanted: Iterable[tuple[list[int], list[int]]], stretches: Sequence[int] = ()
) -> tuple[dict[tuple[int, int], bytes], dict[int, bytes]]:
    """Return pages by block and number, and the times of the stretches of some blocks.

    `wanted` are blocks, and the numbers that are wanted of each of them.
    """
    conditions = [f"block_id IN ({listed(blocks)}) AND number IN ({listed(numbers)})" for blocks, numbers in wanted]
    parts = []
    if conditions:
        parts.append(f"SELECT block_id, number, content FROM {_PAGE} WHERE {' OR '.join(conditions)}")  # noqa: S608
    if stretches:
        parts.append(f"SELECT id, -1, stretches FROM {_BLOCK} WHERE id IN ({listed(stretches)})")  # noqa: S608
    pages, times = {}, {}
    for block, number, content in _rows(" UNION ALL ".join(parts), []):
        if number < 0:
            times[block] = bytes(content)
        else:
            pages[block, number] = bytes(content)
    return pages, times


def listed(numbers: Iterable[int]) -> str:
    """Return numbers as SQL; thousands of them as parameters would take longer than the statement itself."""
    return ", ".join(map(str, numbers))


def _rows(statement: str, parameters: Sequence[Any]) -> list[tuple[Any, ...]]:
    with _cursor() as cursor:
        cursor.execute(statement, parameters)
        return list(cursor.fetchall())


def _cursor() -> CursorWrapper:
    """Return a cursor that takes bytes as they are: as text, which Django's own takes, pages are twice as long."""
    if connection.vendor != "postgresql":
        return connection.cursor()
    connection.ensure_connection()
    cursor: Any = psycopg.Cursor(connection.connection)
    cursor.format = psycopg.pq.Format.BINARY
    return connection.make_debug_cursor(cursor) if connection.queries_logged else connection.make_cursor(cursor)
