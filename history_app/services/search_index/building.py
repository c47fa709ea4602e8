"""Building: one stretch of records read and turned into a block with its pages, in memory."""

from collections import defaultdict, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby, repeat
from typing import Any

from history_app.services.search_index.grams import PIECE, dense_grams, piece_grams
from history_app.services.search_index.postings import bitmap_bytes, bits_of, pages_written, posting
from history_app.services.search_index.run_times import NO_RECORD, times_written
from history_app.services.search_index.sources import Source, from_ticks, to_ticks

# A block ends early when its records are large, so that building one takes a bounded amount of memory.
CHARACTERS_PER_BLOCK = 48 * 1024 * 1024
# From so many runs on, the postings of a piece's grams are united as bitmaps and not as lists.
MANY_RUNS = 64

Runs = defaultdict[str, list[int]]


@dataclass(frozen=True)
class BuiltBlock:
    """A block that is not stored yet."""

    first_id: int
    last_id: int
    oldest: datetime | None
    newest: datetime | None
    run_times: bytes
    pages: list[bytes]


@dataclass
class _Gathered:
    """What the runs of a block hold: in which runs each piece, pair of dense characters and character stands."""

    pieces: Runs = field(default_factory=lambda: defaultdict(list))
    pairs: defaultdict[tuple[str, str], list[int]] = field(default_factory=lambda: defaultdict(list))
    characters: Runs = field(default_factory=lambda: defaultdict(list))
    times: list[tuple[int, int]] = field(default_factory=list)
    size: int = 0

    def add(self, run: int, texts: Iterable[str], moments: list[int]) -> None:
        """Take one run in; runs without a record may be left out in between."""
        self.times.extend([NO_RECORD] * (run - len(self.times)))
        self.times.append((min(moments), max(moments)))
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
        moments = [to_ticks(row[1]) for row in kept]
        gathered.add(run, [source.text(*row[2:]) for row in kept], moments)
        if gathered.size > CHARACTERS_PER_BLOCK:
            last_id = min(last_id, first_id + (run + 1) * source.run - 1)
            break
    known = [times for times in gathered.times if times != NO_RECORD]
    return BuiltBlock(
        first_id=first_id,
        last_id=last_id,
        oldest=from_ticks(min(oldest for oldest, _newest in known)) if known else None,
        newest=from_ticks(max(newest for _oldest, newest in known)) if known else None,
        run_times=times_written(gathered.times),
        pages=pages_written(_postings(gathered, runs_in(source, first_id, last_id))),
    )


def runs_in(source: Source, first_id: int, last_id: int) -> int:
    """Return how many runs a block of these ids has."""
    return (last_id - first_id) // source.run + 1


def _rows(source: Source, first_id: int, last_id: int) -> Iterator[tuple[Any, ...]]:
    rows = source.raw(source.model.objects.order_by("pk"))
    while first_id <= last_id:
        upto = min(last_id, first_id + source.fetch - 1)
        yield from rows.filter(pk__gte=first_id, pk__lte=upto)
        first_id = upto + 1


def _postings(gathered: _Gathered, runs: int) -> dict[str, bytes]:
    """Return the posting of every gram."""
    size = bitmap_bytes(runs)
    listed: Runs = gathered.characters
    bits: defaultdict[str, int] = defaultdict(int)
    for pair, places in gathered.pairs.items():
        listed["".join(pair)].extend(places)
    for piece, places in gathered.pieces.items():
        if len(places) < MANY_RUNS:
            for gram in piece_grams(piece):
                listed[gram].extend(places)
        else:
            united = bits_of(places, size)
            for gram in piece_grams(piece):
                bits[gram] |= united
    return {gram: posting(listed.get(gram, ()), bits.get(gram, 0), size) for gram in listed.keys() | bits.keys()}
