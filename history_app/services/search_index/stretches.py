"""The oldest and the newest time of each stretch of runs of a block, as bytes."""

import struct
from collections.abc import Iterable, Sequence
from itertools import chain

# A stretch is so many runs, one after the other.
RUNS_PER_STRETCH = 64
# The times of a stretch that holds no record: older than nothing and newer than nothing.
NO_RECORD = (2**63 - 1, -(2**63))

Times = tuple[int, int]


def times_written(times: Sequence[Times]) -> bytes:
    """Return (oldest, newest) of the stretches, in microseconds since 1970, as bytes."""
    return struct.pack(f"<{2 * len(times)}q", *chain.from_iterable(times))


def times_read(content: bytes) -> list[Times]:
    """Return what `times_written` was given."""
    return list(struct.iter_unpack("<2q", content))


def united(times: Iterable[Times]) -> Times:
    """Return the oldest and the newest of several."""
    oldest, newest = NO_RECORD
    for one, other in times:
        oldest, newest = min(oldest, one), max(newest, other)
    return oldest, newest
