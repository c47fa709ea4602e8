"""Candidates: the runs of records that may hold a needle, as the index says, from the newest on."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from history_app.services.search_index.postings import bitmap_bytes, common_runs, gram_key, posting_in
from history_app.services.search_index.sources import SOURCES
from history_app.services.search_index.statements import Region, pages_of, stretches_of
from history_app.services.search_index.stretches import RUNS_PER_STRETCH, times_read

# The pages of so many blocks are read with one query.
BLOCKS_PER_QUERY = 256
# So many grams are asked of every block; the others only where these leave many runs.
FIRST_GRAMS = 3
FEW_RUNS = 16

LetThrough = Callable[[int, int], bool]


class IndexMoved(Exception):
    """A block was replaced between two queries; the search begins anew."""


@dataclass(frozen=True)
class Runs:
    """Runs of one block that may hold the needle, in order; no record in them is newer than `bound`."""

    region: Region
    runs: Sequence[int]
    bound: int


class Candidates:
    """Blocks that nothing was read of yet."""

    def __init__(self, regions: Iterable[Region], grams: list[str]) -> None:
        ordered = sorted(regions, key=lambda region: -region.newest)
        self.regions, self.others, self.grams = ordered[:BLOCKS_PER_QUERY], ordered[BLOCKS_PER_QUERY:], grams
        self.bound = ordered[0].newest

    def expand(self) -> Iterator[Any]:
        """Yield the candidates of the newest blocks, and what is left of the others. Raises IndexMoved."""
        keys = [gram_key(gram) for gram in self.grams]
        for region, found in _common(self.regions, keys[:FIRST_GRAMS]):
            if len(found) <= FEW_RUNS:
                yield Runs(region, found, region.newest)
            else:
                yield Crowd(region, found, keys[FIRST_GRAMS:])
        if self.others:
            yield Candidates(self.others, self.grams)


class Crowd:
    """Many candidates of one block, by the first grams only and before their times are known."""

    def __init__(self, region: Region, found: list[int], keys: list[int]) -> None:
        self.region, self.found, self.keys = region, found, keys
        self.bound = region.newest


def runs_in_time(crowds: Sequence[Crowd], let_through: LetThrough) -> Iterator[Runs]:
    """Yield the candidates of blocks by all grams, each stretch with its own bound, whose times are meant.

    Raises IndexMoved.
    """
    regions = [crowd.region for crowd in crowds]
    others = dict(_common(regions, crowds[0].keys)) if crowds[0].keys else {}
    stretches = stretches_of([region.block for region in regions])
    if len(stretches) != len(regions):
        raise IndexMoved
    for crowd in crowds:
        found = sorted({*crowd.found}.intersection(others.get(crowd.region, ()))) if crowd.keys else crowd.found
        times = times_read(stretches[crowd.region.block])
        for stretch, runs in _by_stretch(found):
            if let_through(*times[stretch]):
                yield Runs(crowd.region, runs, times[stretch][1])


def _by_stretch(found: Iterable[int]) -> Iterable[tuple[int, list[int]]]:
    alike: defaultdict[int, list[int]] = defaultdict(list)
    for run in found:
        alike[run // RUNS_PER_STRETCH].append(run)
    return alike.items()


def _common(regions: Sequence[Region], keys: list[int]) -> Iterator[tuple[Region, list[int]]]:
    """Yield the blocks that have runs with all of the keys, and those runs. Raises IndexMoved."""
    alike: defaultdict[int, list[int]] = defaultdict(list)
    for region in regions:
        alike[region.pages].append(region.block)
    wanted = [(blocks, sorted({key % pages for key in keys})) for pages, blocks in alike.items()]
    pages = pages_of(wanted)
    if len(pages) != sum(len(blocks) * len(numbers) for blocks, numbers in wanted):
        raise IndexMoved
    for region in regions:
        postings = []
        for key in keys:
            one = posting_in(pages[region.block, key % region.pages], key)
            if not one:
                break
            postings.append(one)
        else:
            if found := common_runs(postings, bitmap_bytes(region.runs)):
                yield region, found


def ids_of(units: Iterable[Runs]) -> dict[str, list[tuple[int, int]]]:
    """Return the first and last ids of the candidates, runs beside each other taken together, by record type."""
    found: defaultdict[str, list[tuple[int, int]]] = defaultdict(list)
    for unit in units:
        size, first_id = SOURCES[unit.region.record_type].run, unit.region.first_id
        spans = found[unit.region.record_type]
        for run in unit.runs:
            first = first_id + run * size
            if spans and spans[-1][1] == first - 1:
                spans[-1] = (spans[-1][0], first + size - 1)
            else:
                spans.append((first, first + size - 1))
    return found
