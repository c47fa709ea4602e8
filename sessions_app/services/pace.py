"""The pace of work in batches that nobody waits for: it rests after each, so that writers get on meanwhile."""

import time

# The part of its time that such work is at it.
BACKGROUND_SHARE = 0.1


def rest_after(*, began: float, share: float) -> None:
    """Rest after a batch begun at `began` (of time.monotonic), so that work is `share` of the time; 1 is no rest."""
    time.sleep((time.monotonic() - began) * (1 / share - 1))
