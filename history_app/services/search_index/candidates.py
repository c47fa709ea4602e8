"""Candidates: the runs of records that may hold a query, as the index says, from the newest on."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Q

from history_app.models import SearchBlock, SearchPage
from history_app.services.search_index.postings import bitmap_bytes, common_runs, page_number, page_read
from history_app.services.search_index.run_times import NO_RECORD, times_read
from history_app.services.search_index.sources import SOURCES, to_ticks

# The pages of so many blocks are read with one query.
BLOCKS_PER_QUERY = 64
# Of blocks with at most so many candidates the times of the runs are not asked for.
FEW_RUNS = 8


LetThrough = Callable[[int, int], bool]


class IndexMoved(Exception):
    """A block was replaced between two queries; the search begins anew."""


@dataclass(frozen=True)
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


def regions_of(record_types: Iterable[str]) -> list[Region]:
    """Return the blocks of these record types; those without records hold no candidates but move the watermark."""
    columns = ("pk", "record_type", "first_id", "last_id", "pages", "oldest", "newest")
    blocks = SearchBlock.objects.filter(record_type__in=list(record_types)).values_list(*columns)
    return [
        Region(pk, record_type, first, last, pages, *_ticks(oldest, newest))
        for pk, record_type, first, last, pages, oldest, newest in blocks
    ]


def _ticks(oldest: datetime | None, newest: datetime | None) -> tuple[int, int]:
    return NO_RECORD if oldest is None or newest is None else (to_ticks(oldest), to_ticks(newest))


@dataclass(frozen=True)
class Run:
    """Neighbouring records that may hold the query; none is newer than `bound`."""

    record_type: str
    first_id: int
    bound: int

    @property
    def pks(self) -> range:
        """Their ids."""
        return range(self.first_id, self.first_id + SOURCES[self.record_type].run)


class Candidates:
    """The candidates of blocks whose pages were not read yet."""

    def __init__(self, regions: Sequence[Region], grams: list[str]) -> None:
        ordered = sorted(regions, key=lambda region: -region.newest)
        self.regions, self.others, self.grams = ordered[:BLOCKS_PER_QUERY], ordered[BLOCKS_PER_QUERY:], grams
        self.bound = ordered[0].newest

    def expand(self) -> Iterator[Any]:
        """Yield the candidates of the newest blocks, and what is left of the others. Raises IndexMoved."""
        pages = self._pages()
        for region in self.regions:
            postings = [pages[region.block, page_number(gram, region.pages)].get(gram, b"") for gram in self.grams]
            if not all(postings):
                continue
            found = common_runs(postings, bitmap_bytes(region.runs))
            if len(found) <= FEW_RUNS:
                yield from (_run(region, run, region.newest) for run in found)
            elif found:
                yield TimedRuns(region, found)
        if self.others:
            yield Candidates(self.others, self.grams)

    def _pages(self) -> dict[tuple[int, int], dict[str, bytes]]:
        """Return the pages that hold the grams' postings, by block and number."""
        alike: defaultdict[int, list[int]] = defaultdict(list)
        for region in self.regions:
            alike[region.pages].append(region.block)
        wanted, expected = Q(), 0
        for pages, blocks in alike.items():
            numbers = {page_number(gram, pages) for gram in self.grams}
            wanted |= Q(block_id__in=blocks, number__in=numbers)
            expected += len(blocks) * len(numbers)
        rows = SearchPage.objects.filter(wanted).values_list("block_id", "number", "content")
        found = {(block, number): page_read(bytes(content)) for block, number, content in rows}
        if len(found) != expected:
            raise IndexMoved
        return found


class TimedRuns:
    """Many candidates of one block, before their times are known."""

    def __init__(self, region: Region, found: list[int]) -> None:
        self.region, self.found = region, found
        self.bound = region.newest


def runs_in_time(blocks: Sequence[TimedRuns], let_through: LetThrough) -> Iterator[Run]:
    """Yield the candidates of blocks, each with its own bound, whose times are meant. Raises IndexMoved."""
    pks = [block.region.block for block in blocks]
    times = dict(SearchBlock.objects.filter(pk__in=pks).values_list("pk", "run_times"))
    if len(times) != len(pks):
        raise IndexMoved
    for block in blocks:
        of_runs = times_read(bytes(times[block.region.block]))
        for run in block.found:
            oldest, newest = of_runs[run]
            if let_through(oldest, newest):
                yield _run(block.region, run, newest)


def _run(region: Region, run: int, bound: int) -> Run:
    size = SOURCES[region.record_type].run
    return Run(region.record_type, region.first_id + run * size, bound)
