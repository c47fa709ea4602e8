"""The pace of work in batches that nobody waits for: it rests after each, so that writers get on meanwhile."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

# The part of its time that such work is at it.
BACKGROUND_SHARE = 0.1
LONGEST_REST_SECONDS = 5.0


class Pace:
    """Measures how long the batches hold others up, and rests in proportion."""

    def __init__(self, share: float):
        """Be at work for `share` of the time, above 0; 1 is without a rest."""
        self._share = share
        self._seconds = 0.0

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Count what is done here: to be entered when the transaction has begun, for waiting holds nobody up."""
        began = time.monotonic()
        try:
            yield
        finally:
            self._seconds += time.monotonic() - began

    def rest(self) -> None:
        """Rest for what was done since the last rest."""
        time.sleep(min(self._seconds * (1 / self._share - 1), LONGEST_REST_SECONDS))
        self._seconds = 0.0
