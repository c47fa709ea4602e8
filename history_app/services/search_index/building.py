"""Building: one stretch of records read and turned into a block with its pages, in memory."""

from collections import defaultdict, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import groupby, repeat
from typing import Any

from history_app.services.search_index.grams import PIECE, dense_grams, piece_grams
from history_app.services.search_index.postings import (
    bitmap_bytes,
    bits_of,
    by_key,
    pages_needed,
    pages_written,
    posting,
)
from history_app.services.search_index.sources import Source, to_ticks
from history_app.services.search_index.stretches import NO_RECORD, RUNS_PER_STRETCH, Times, united

# A block ends early when its records are large, so that building one takes a bounded amount of memory.
CHARACTERS_PER_BLOCK = 16 * 1024 * 1024
# From so many runs on, the postings of a piece's grams are united as bitmaps and not as lists.
MANY_RUNS = 64

Runs = defaultdict[str, list[int]]


@dataclass(frozen=True)
class BuiltBlock:
    """A block that is not stored yet; `times` are those of its stretches."""

    first_id: int
    last_id: int
    times: list[Times]
    pages: list[bytes]


@dataclass
class _Gathered:
    """What the runs of a block hold: in which runs each piece, pair of dense characters and character stands."""

    pieces: Runs = field(default_factory=lambda: defaultdict(list))
    pairs: defaultdict[tuple[str, str], list[int]] = field(default_factory=lambda: defaultdict(list))
    characters: Runs = field(default_factory=lambda: defaultdict(list))
    times: defaultdict[int, list[int]] = field(default_factory=lambda: defaultdict(list))
    size: int = 0

    def add(self, run: int, texts: Iterable[str], moments: list[int]) -> None:
        """Take one run in; runs without a record may be left out in between."""
        self.times[run // RUNS_PER_STRETCH] += moments
        # Each text is lowered for itself: what a final sigma becomes depends on what stands beside it.
        text = "\n".join([one.lower() for one in texts])
        self.size += len(text)
        _note(self.pieces, set(PIECE.findall(text)), run)
        _note(self.characters, set(text), run)
        if not text.isascii():
            _note(self.pairs, dense_grams(text), run)


def _note(places: defaultdict[Any, list[int]], found: Iterable[Any], run: int) -> None:
    """Append the run to the list of each thing found in it; as one call, which takes two thirds of a loop's time."""
    deque(map(list.append, map(places.__getitem__, found), repeat(run)), maxlen=0)


def block_build(source: Source, first_id: int, last_id: int) -> BuiltBlock:
    """Return the block of the records from `first_id` to `last_id`, or to an earlier id when they are very large."""
    gathered = _Gathered()
    for run, rows in groupby(_rows(source, first_id, last_id), key=lambda row: (row[0] - first_id) // source.run):
        kept = list(rows)
        gathered.add(run, [source.text(*row[2:]) for row in kept], [to_ticks(row[1]) for row in kept])
        if gathered.size > CHARACTERS_PER_BLOCK:
            last_id = min(last_id, first_id + (run + 1) * source.run - 1)
            break
    runs = runs_in(source, first_id, last_id)
    postings = by_key(_postings(gathered, bitmap_bytes(runs)), bitmap_bytes(runs))
    pages = pages_written(postings, pages_needed(postings.values()))
    return BuiltBlock(first_id, last_id, _times(gathered, runs), pages)


def runs_in(source: Source, first_id: int, last_id: int) -> int:
    """Return how many runs a block of these ids has."""
    return (last_id - first_id) // source.run + 1


def _rows(source: Source, first_id: int, last_id: int) -> Iterator[tuple[Any, ...]]:
    rows = source.raw(source.model.objects.order_by("pk"))
    while first_id <= last_id:
        upto = min(last_id, first_id + source.fetch - 1)
        yield from rows.filter(pk__gte=first_id, pk__lte=upto)
        first_id = upto + 1


def _times(gathered: _Gathered, runs: int) -> list[Times]:
    stretches = range((runs - 1) // RUNS_PER_STRETCH + 1)
    moments = (gathered.times.get(stretch) for stretch in stretches)
    return [(min(some), max(some)) if some else NO_RECORD for some in moments]


def times_of(built: BuiltBlock) -> tuple[int, int] | tuple[None, None]:
    """Return the oldest and the newest time in a block; None where no record is left."""
    times = united(built.times)
    return (None, None) if times == NO_RECORD else times


def _postings(gathered: _Gathered, size: int) -> dict[str, bytes]:
    """Return the posting of every gram."""
    listed: Runs = gathered.characters
    bits: defaultdict[str, int] = defaultdict(int)
    for pair, places in gathered.pairs.items():
        listed["".join(pair)].extend(places)
    for piece, places in gathered.pieces.items():
        if len(places) < MANY_RUNS:
            for gram in piece_grams(piece):
                listed[gram].extend(places)
        else:
            found = bits_of(places, size)
            for gram in piece_grams(piece):
                bits[gram] |= found
    return {gram: posting(listed.get(gram, ()), bits.get(gram, 0), size) for gram in listed.keys() | bits.keys()}
