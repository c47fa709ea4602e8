"""Candidates: the runs of records that may hold a needle, as the index says, from the newest on."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from history_app.services.search_index.postings import (
    bitmap_bytes,
    by_stretch,
    common_posting,
    posting_in,
    runs_counted,
    runs_posted,
)
from history_app.services.search_index.sources import SOURCES
from history_app.services.search_index.statements import BLOCKS_PER_QUERY, Region, pages_of
from history_app.services.search_index.stretches import RUNS_PER_STRETCH, times_read

# A needle of few grams is looked up by all of them; of one of many the first are asked of every block, and the others
# only where these leave many runs: of one block, or a large part of all, as the frequent words of a phrase do.
FEW_GRAMS, FIRST_GRAMS = 5, 3
FEW_RUNS, LARGE_PART = 128, 32

LetThrough = Callable[[int, int], bool]
Pages = Mapping[tuple[int, int], bytes]


class IndexMoved(Exception):
    """A block was replaced between two queries; the search begins anew."""


@dataclass(slots=True)
class Runs:
    """Runs of one block that may hold the needle; no record in them is newer than `bound`.

    They are a posting of a block with bitmaps of `size` bytes, counted from the run `first` on.
    """

    region: Region
    bound: int
    posting: bytes
    size: int
    first: int = 0

    @property
    def count(self) -> int:
        """How many they are."""
        return runs_counted(self.posting, self.size)

    def numbers(self) -> Iterable[int]:
        """Return their numbers in the block, in order."""
        return [self.first + run for run in runs_posted(self.posting, self.size)]


def first_keys(keys: Sequence[int]) -> Sequence[int]:
    """Return the keys, the most telling first, that all blocks are asked for."""
    return keys if len(keys) <= FEW_GRAMS else keys[:FIRST_GRAMS]


class Candidates:
    """Blocks that nothing was looked up in yet; of the newest ones the first pages may have been read."""

    def __init__(self, regions: Iterable[Region], keys: Sequence[int], pages: Pages | None = None) -> None:
        ordered = sorted(regions, key=lambda region: -region.newest)
        self.regions, self.others = ordered[:BLOCKS_PER_QUERY], ordered[BLOCKS_PER_QUERY:]
        self.keys, self.pages = keys, pages
        self.bound = ordered[0].newest

    def expand(self) -> Iterator[Any]:
        """Yield the candidates of the newest blocks, and what is left of the others. Raises IndexMoved."""
        first, others = first_keys(self.keys), self.keys[len(first_keys(self.keys)) :]
        pages = pages_of(_wanted(self.regions, first))[0] if self.pages is None else self.pages
        left = list(_common(self.regions, first, pages))
        counts = [runs_counted(found, bitmap_bytes(region.runs)) for region, found in left]
        many = others and LARGE_PART * sum(counts) > sum(region.runs for region in self.regions)
        for (region, found), count in zip(left, counts, strict=True):
            if many or count > FEW_RUNS:
                yield Crowd(region, found, others)
            else:
                yield Runs(region, region.newest, found, bitmap_bytes(region.runs))
        if self.others:
            yield Candidates(self.others, self.keys)


class Crowd:
    """Many candidates of one block, by the first grams only and before their times are known."""

    def __init__(self, region: Region, found: bytes, keys: Sequence[int]) -> None:
        self.region, self.found, self.keys = region, found, keys
        self.bound = region.newest


def runs_in_time(crowds: Sequence[Crowd], let_through: LetThrough) -> Iterator[Runs]:
    """Yield the candidates of blocks by all grams, each stretch with its own bound, whose times are meant.

    Raises IndexMoved.
    """
    regions, keys = [crowd.region for crowd in crowds], crowds[0].keys
    pages, stretches = pages_of(_wanted(regions, keys), [region.block for region in regions])
    if len(stretches) != len(regions):
        raise IndexMoved
    known = {crowd.region: crowd.found for crowd in crowds}
    for region, found in _common(regions, keys, pages, known):
        times, size = times_read(stretches[region.block]), bitmap_bytes(region.runs)
        for stretch, piece in by_stretch(found, size, RUNS_PER_STRETCH):
            if let_through(*times[stretch]):
                listed = len(found) < size
                place = (size, 0) if listed else (len(piece), stretch * RUNS_PER_STRETCH)
                yield Runs(region, times[stretch][1], piece, *place)


def _wanted(regions: Iterable[Region], keys: Sequence[int]) -> list[tuple[list[int], list[int]]]:
    """Return which pages of which blocks hold the keys; blocks with as many pages are asked together."""
    alike: defaultdict[int, list[int]] = defaultdict(list)
    for region in regions:
        alike[region.pages].append(region.block)
    return [(blocks, sorted({key % pages for key in keys})) for pages, blocks in alike.items() if keys]


def _common(
    regions: Iterable[Region], keys: Sequence[int], pages: Pages, known: Mapping[Region, bytes] | None = None
) -> Iterator[tuple[Region, bytes]]:
    """Yield the blocks that have runs with all of the keys, and those runs, of the known ones. Raises IndexMoved."""
    for region in regions:
        postings = [known[region]] if known else []
        for key in keys:
            content = pages.get((region.block, key % region.pages))
            if content is None:
                raise IndexMoved
            postings.append(posting_in(content, key))
            if not postings[-1]:
                break
        else:
            if found := common_posting(postings, bitmap_bytes(region.runs)):
                yield region, found


def ids_of(units: Iterable[Runs]) -> dict[str, list[tuple[int, int]]]:
    """Return the first and last ids of the candidates, runs beside each other taken together, by record type."""
    found: defaultdict[str, list[tuple[int, int]]] = defaultdict(list)
    for unit in units:
        size, first_id = SOURCES[unit.region.record_type].run, unit.region.first_id
        spans = found[unit.region.record_type]
        for run in unit.numbers():
            first = first_id + run * size
            if spans and spans[-1][1] == first - 1:
                spans[-1] = (spans[-1][0], first + size - 1)
            else:
                spans.append((first, first + size - 1))
    return found
