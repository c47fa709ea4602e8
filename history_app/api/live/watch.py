"""One open stream, as the stream's own thread and the hub's see it: one asks for what comes next, the other answers."""

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from history_app.api.live.peer import Peer
from history_app.api.live.rights import Check
from history_app.selectors.record_types import RecordType
from history_app.selectors.tail import Page
from history_app.selectors.tail_position import Position
from sessions_app.models import Session


class End(StrEnum):
    """Why a stream ends from this side."""

    DELETED = "session_deleted"
    REFUSED = "access_ended"
    STOPPING = "server_stopping"
    GONE = "client_gone"


@dataclass(frozen=True)
class Wish:
    """What a stream shows: the records of these types of one session, to who passes the check."""

    session: Session
    kinds: Sequence[RecordType]
    may_see: Check
    peer: Peer


class Watch:
    """The meeting place of the two threads."""

    def __init__(self, wish: Wish) -> None:
        self.wish = wish
        self.end: End | None = None
        # The position that the stream asks from, and the revision up to which nothing more stands behind it.
        self.asked: Position | None = None
        self.read_up_to: int | None = None
        self.checked_at = time.monotonic()
        self._sending_since: float | None = None
        self._changed = threading.Condition()
        self._page: Page | None = None
        self._left = False

    def ask(self, position: Position, timeout: float) -> Page | End | None:
        """Wait for records after the position; None when the time is over and nothing came."""
        with self._changed:
            if self.asked != position:
                self.asked, self._page = position, None
            self._changed.wait_for(lambda: self._page is not None or self.end is not None, timeout)
            if self.end is not None:
                return self.end
            if self._page is not None:
                self.asked = None
            return self._page

    def answer(self, page: Page) -> None:
        """Hand over what was read for the position that was asked from."""
        with self._changed:
            self._page = page
            self._changed.notify()

    @property
    def waits(self) -> bool:
        """Whether the stream has asked and got no answer so far."""
        with self._changed:
            return self.asked is not None and self._page is None

    def finish(self, reason: End) -> None:
        """Tell the stream to end."""
        with self._changed:
            self.end = self.end or reason
            self._changed.notify()

    def sending(self) -> None:
        """Note that the stream's thread begins to send something."""
        self._sending_since = time.monotonic()

    def sent(self) -> None:
        """Note that the client has taken it."""
        self._sending_since = None

    def cut_when_stuck(self, seconds: float) -> None:
        """End the connection of a client that has taken nothing for so long."""
        with self._changed:
            since = self._sending_since
            if not self._left and since is not None and time.monotonic() - since > seconds:
                self.wish.peer.cut()

    def leave(self) -> None:
        """Note that the stream is over; its connection is not ours any more."""
        with self._changed:
            self._left = True
