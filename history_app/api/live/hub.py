"""The one thread of a process that looks for new records, for all its streams at once and on one connection.

It runs while somebody listens. In each round it asks which of the watched sessions have moved on, in one small query,
and reads the next page for the streams of those. It holds no transaction and no cursor between two statements.
"""

import threading
import time
from collections.abc import Sequence

import structlog
from django.conf import settings
from django.db import Error, close_old_connections, connections

from config.shared.web_process import web_process
from history_app.api.live.watch import End, Watch
from history_app.selectors.tail import revisions, tail_page

logger = structlog.get_logger(__name__)

TICK_SECONDS = 0.25
# After a failure of the database.
PAUSE_SECONDS = 1.0
RECORDS_PER_PAGE = 100
# A client that takes nothing for so long is let go; when the server stops, for so long.
STUCK_SECONDS = 60.0
STUCK_AT_STOP_SECONDS = 2.0


class Hub:
    """All streams of this process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._watches: set[Watch] = set()
        self._thread: threading.Thread | None = None
        self._hurry = threading.Event()

    def join(self, watch: Watch) -> None:
        """Look after one more stream."""
        with self._lock:
            self._watches.add(watch)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="live-tails", daemon=True)
                self._thread.start()

    def leave(self, watch: Watch) -> None:
        """Forget a stream that is over."""
        watch.leave()
        with self._lock:
            self._watches.discard(watch)

    def end_idle(self) -> bool:
        """End the streams whose clients have hung up, and return whether there are any."""
        with self._lock:
            gone = [watch for watch in self._watches if watch.wish.peer.is_gone()]
        for watch in gone:
            watch.finish(End.GONE)
        return bool(gone)

    def hurry(self) -> None:
        """Begin the next round at once."""
        self._hurry.set()

    def _run(self) -> None:
        try:
            while watches := self._present():
                pause = self._round(watches)
                self._hurry.wait(pause)
                self._hurry.clear()
        finally:
            connections.close_all()
            self._over()

    def _over(self) -> None:
        """Let the streams go that are left when the thread ends by a fault: their clients come back to another one."""
        with self._lock:
            if self._thread is threading.current_thread():
                self._thread = None
                for watch in self._watches:
                    watch.finish(End.STOPPING)

    def _present(self) -> list[Watch]:
        """Return the streams there are; when there are none, the thread is over and the next stream starts another."""
        with self._lock:
            if not self._watches:
                self._thread = None
            return list(self._watches)

    def _round(self, watches: Sequence[Watch]) -> float:
        """Do what is due and return how many seconds the next round has time."""
        stopping = web_process.is_stopping()
        self.end_idle()
        for watch in watches:
            if stopping:
                watch.finish(End.STOPPING)
            watch.cut_when_stuck(STUCK_AT_STOP_SECONDS if stopping else STUCK_SECONDS)
        try:
            self._check_rights(watches)
            self._read(watches)
        except Error as error:
            logger.warning("live_tails_paused", error=str(error))
            connections.close_all()
            return PAUSE_SECONDS
        return TICK_SECONDS

    def _check_rights(self, watches: Sequence[Watch]) -> None:
        now = time.monotonic()
        due = [watch for watch in watches if now - watch.checked_at >= settings.EVENT_HEARTBEAT]
        if due:
            close_old_connections()
        for watch in due:
            watch.checked_at = now
            if not watch.wish.may_see():
                watch.finish(End.REFUSED)

    def _read(self, watches: Sequence[Watch]) -> None:
        waiting = [watch for watch in watches if watch.waits]
        if not waiting:
            return
        found = revisions({watch.wish.session.pk for watch in waiting})
        for watch in waiting:
            revision = found.get(watch.wish.session.pk)
            if revision is None:
                watch.finish(End.DELETED)
            elif revision != watch.read_up_to:
                self._answer(watch, revision)

    def _answer(self, watch: Watch, revision: int) -> None:
        """Read the stream's next page. The revision was read before: what moved it is in the page, or behind it."""
        position = watch.asked
        if position is None:
            return
        page = tail_page(watch.wish.session, position, watch.wish.kinds, limit=RECORDS_PER_PAGE)
        watch.read_up_to = revision if page.is_last else None
        if page.end != position:
            watch.answer(page)


hub = Hub()
