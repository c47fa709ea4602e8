"""How many streams a process serves at once."""

import threading
import weakref
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.utils.translation import gettext as _

from config.shared.errors import Unavailable

RETRY_AFTER_SECONDS = 5
# How long a newcomer waits for a stream to end whose client has hung up.
ENDING_SECONDS = 1.0


class Slots:
    """Counts the open streams of this process."""

    def __init__(self) -> None:
        self._freed = threading.Condition()
        self._taken = 0

    def take(self, end_idle: Callable[[], bool]) -> "Slot":
        """Return a slot. Raises Unavailable when EVENT_CONNECTIONS of them are taken.

        `end_idle` ends streams whose clients have hung up, and returns whether there are any.
        """
        with self._freed:
            if self._is_full() and end_idle():
                self._freed.wait_for(lambda: not self._is_full(), ENDING_SECONDS)
            if self._is_full():
                raise Unavailable(_("All live tails of this server are in use."), RETRY_AFTER_SECONDS)
            self._taken += 1
        return Slot(self)

    def _is_full(self) -> bool:
        return self._taken >= settings.EVENT_CONNECTIONS

    def give_back(self) -> None:
        """Take note that one slot is free again."""
        with self._freed:
            self._taken -= 1
            self._freed.notify()


class Slot:
    """One stream's slot. It is given back once, and at the latest when nobody holds it any more."""

    def __init__(self, slots: Slots) -> None:
        self._give_back: Any = weakref.finalize(self, slots.give_back)

    def free(self) -> None:
        """Give the slot back; the second time does nothing."""
        self._give_back()


slots = Slots()
