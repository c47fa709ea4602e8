"""The oldest and the newest time of each run of a block, as bytes."""

import struct
from collections.abc import Sequence
from itertools import chain

# The times of a run that holds no record: older than nothing and newer than nothing.
NO_RECORD = (2**63 - 1, -(2**63))


def times_written(times: Sequence[tuple[int, int]]) -> bytes:
    """Return (oldest, newest) of the runs, in microseconds since 1970, as bytes."""
    return struct.pack(f"<{2 * len(times)}q", *chain.from_iterable(times))


def times_read(content: bytes) -> list[tuple[int, int]]:
    """Return what `times_written` was given."""
    return list(struct.iter_unpack("<2q", content))
