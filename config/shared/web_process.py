"""What the web server and the code that it serves tell each other about the process that both are in."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class RequestPlaces:
    """The places for requests in progress: a process has more threads than it answers requests at once.

    Whoever keeps a thread for long, such as a stream of events, gives its place to the next request.
    """

    def __init__(self) -> None:
        self._free: threading.Semaphore | None = None
        self._mine = threading.local()

    def limit(self, places: int) -> None:
        """Let so many requests be answered at once from now on."""
        self._free = threading.Semaphore(places)

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Wait for a place, and hold it."""
        if self._free is not None:
            self._free.acquire()
            self._mine.place = self._free
        try:
            yield
        finally:
            self.leave()

    def leave(self) -> None:
        """Give this thread's place away before its request is over; without a place do nothing."""
        place = getattr(self._mine, "place", None)
        self._mine.place = None
        if place is not None:
            place.release()


class WebProcess:
    """This process, as the code that is served sees it. Under a server of other people it never says that it ends."""

    def __init__(self) -> None:
        self.places = RequestPlaces()
        self.is_stopping: Callable[[], bool] = lambda: False


web_process = WebProcess()
