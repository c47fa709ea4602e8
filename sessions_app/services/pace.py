"""The pace of work that nobody waits for: small batches, and a rest after each, so that writers get on meanwhile."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext

from django.db import transaction

# The part of its time that such work is at it.
BACKGROUND_SHARE = 0.1
LONGEST_REST_SECONDS = 5.0
# Nobody knows yet how busy the machine is.
FIRST_ROWS = 32
# With fewer the work would hardly get on where each statement waits long for the processor.
FEWEST_ROWS = 20
# Meant for one batch: what a machine makes of it that gets busy meanwhile is then still well under a second.
BATCH_SECONDS = 0.1


class Pace:
    """Measures how long the batches hold others up; makes the next one as large as its time allows, and rests."""

    def __init__(self, share: float, most: int, clock: Callable[[], float] = time.monotonic):
        """Be at work for `share` of the time, above 0 (1 is without a rest), with at most `most` rows in a batch."""
        self._share, self._most, self._clock = share, most, clock
        self._fewest = min(FEWEST_ROWS, most)
        self._seconds = 0.0
        self.size = min(FIRST_ROWS, most)

    @contextmanager
    def at_work(self, *, atomic: bool = True) -> Iterator[None]:
        """Do one batch, in a transaction unless `atomic` is False, and measure it to the end of its commit.

        It is measured from when the transaction has begun, for waiting for that holds nobody up.
        """
        began = None
        try:
            with transaction.atomic() if atomic else nullcontext():
                began = self._clock()
                yield
        finally:
            if began is not None:
                self._measured(self._clock() - began)

    def _measured(self, seconds: float) -> None:
        self._seconds += seconds
        fitting = int(self.size * BATCH_SECONDS / seconds) if seconds > 0 else self._most
        self.size = max(self._fewest, min(fitting, 2 * self.size, self._most))

    def rest(self) -> None:
        """Rest for what was done since the last rest."""
        time.sleep(min(self._seconds * (1 / self._share - 1), LONGEST_REST_SECONDS))
        self._seconds = 0.0
