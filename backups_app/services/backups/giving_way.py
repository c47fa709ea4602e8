"""Being a good neighbour: a backup works at a lower priority, and rests in proportion while somebody else writes."""

import os
import sys
import threading
import time

from django.db import connection

# Beside one other thread on a processor that leaves a tenth of it, so that a backup ends even where there is no rest.
NICENESS, LEAST = 10, 19
# The part of its time that a backup is at work while others write.
SHARE = 0.3
LONGEST_REST_SECONDS = 1.0
LOOKS_APART_SECONDS = 1.0
# Somebody writes: about ten appends a second. What a store does by itself, such as progress and leases, is less.
BUSY_ROWS_A_SECOND = 20
# The rows that a server has written so far. Its log would be no measure: it grows with what the server cleans up by
# itself, too. A file has no such number, and after its copy was made only processors are shared.
_WRITTEN = {
    "postgresql": "SELECT tup_inserted + tup_updated + tup_deleted FROM pg_stat_database "
    "WHERE datname = current_database()",
    "mysql": "SELECT SUM(VARIABLE_VALUE) FROM information_schema.global_status "
    "WHERE VARIABLE_NAME IN ('HANDLER_WRITE', 'HANDLER_UPDATE', 'HANDLER_DELETE')",
}


def priority_lower() -> None:
    """Lower the priority of this thread, and of those that it starts from now on, for good.

    Only Linux has priorities of threads; elsewhere nothing is done.
    """
    if sys.platform == "linux":
        thread = threading.get_native_id()
        own = os.getpriority(os.PRIO_PROCESS, thread)
        os.setpriority(os.PRIO_PROCESS, thread, min(own + NICENESS, LEAST))


class Neighbours:
    """Those who write to the same database: `rest` gives way to them while there are any."""

    def __init__(self) -> None:
        self._statement = _WRITTEN.get(connection.vendor)
        self._looked_at, self._rested_at = time.monotonic(), time.thread_time()
        self._written = self._rows_written()
        self._are_there = False

    def rest(self) -> None:
        """Rest for the work since the last rest, where somebody else is writing.

        What counts is processor time: on a busy machine waiting is rest enough, and all rests together stay bounded.
        """
        worked = time.thread_time() - self._rested_at
        if self._statement:
            self._look()
        if self._are_there:
            time.sleep(min(worked * (1 / SHARE - 1), LONGEST_REST_SECONDS))
        self._rested_at = time.thread_time()

    def _look(self) -> None:
        """See once in a while how much the server has written since the last look."""
        seconds = time.monotonic() - self._looked_at
        if seconds < LOOKS_APART_SECONDS:
            return
        written = self._rows_written()
        self._are_there = written - self._written > BUSY_ROWS_A_SECOND * seconds
        self._looked_at, self._written = time.monotonic(), written

    def _rows_written(self) -> int:
        if not self._statement:
            return 0
        with connection.cursor() as cursor:
            cursor.execute(self._statement)
            return int(cursor.fetchone()[0])
