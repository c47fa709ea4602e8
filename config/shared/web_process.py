"""What the web server and the code that it serves tell each other about the process that both are in."""

import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper


class Place:
    """A place for a request in progress, with its connections to the databases.

    The connections belong to the place and not to the thread: the server spreads requests over all its threads, and
    each of them would keep connections of its own.
    """

    def __init__(self) -> None:
        self._connections: dict[str, BaseDatabaseWrapper] = {}

    def lend(self) -> None:
        """Let this thread work with the connections of the place."""
        for alias, connection in self._connections.items():
            connections[alias] = connection

    def take_back(self) -> None:
        """Keep this thread's connections for the next request. The thread makes new ones if it goes on."""
        for connection in connections.all(initialized_only=True):
            del connections[connection.alias]
            if connection.in_atomic_block:
                # Nobody else may go on with a transaction that was left open.
                connection.close()
                self._connections.pop(connection.alias, None)
            elif connection.alias not in self._connections:
                connection.inc_thread_sharing()
                self._connections[connection.alias] = connection


class RequestPlaces:
    """The places for requests in progress: a process has more threads than it answers requests at once.

    Whoever keeps a thread for long, such as a stream of events, gives its place to the next request.
    """

    def __init__(self) -> None:
        self._free: queue.LifoQueue[Place] | None = None
        self._mine = threading.local()

    def limit(self, places: int) -> None:
        """Let so many requests be answered at once from now on."""
        # The place that was left last is taken first, so that a quiet process works on few connections.
        self._free = queue.LifoQueue()
        for _ in range(places):
            self._free.put(Place())

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Wait for a place, and hold it."""
        if self._free is not None:
            self._mine.place = place = self._free.get()
            place.lend()
        try:
            yield
        finally:
            self.leave()

    def leave(self) -> None:
        """Give this thread's place away before its request is over; without a place do nothing."""
        place: Place | None = getattr(self._mine, "place", None)
        self._mine.place = None
        if place is not None and self._free is not None:
            place.take_back()
            self._free.put(place)


class WebProcess:
    """This process, as the code that is served sees it. Under a server of other people it never says that it ends."""

    def __init__(self) -> None:
        self.places = RequestPlaces()
        self.is_stopping: Callable[[], bool] = lambda: False


web_process = WebProcess()
