"""Progress of long work: told at most a few times a second, and the place where it may be asked to stop."""

import time
from collections.abc import Callable

# (done, total, what is at work): raises to stop the work.
Check = Callable[..., None]
_SECONDS = 0.25


def unwatched(done: int = 0, total: int | None = None, label: str = "") -> None:
    """Tell nobody."""


class Progress:
    """Counts what is done of a total, and tells it on."""

    def __init__(self, check: Check, total: int) -> None:
        self._check, self._total = check, total
        self._done, self._told = 0, 0.0

    def add(self, done: int, label: str) -> None:
        """Count more work as done."""
        self._done += done
        if time.monotonic() - self._told >= _SECONDS:
            self.tell(label)

    def tell(self, label: str) -> None:
        """Tell how far the work is, now."""
        self._told = time.monotonic()
        self._check(min(self._done, self._total), self._total, label)
