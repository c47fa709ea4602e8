"""A bounded queue between a thread that reads ahead and the one that stores."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from queue import SimpleQueue
from threading import Event, Semaphore, Thread
from typing import Generic, TypeVar

Batch = TypeVar("Batch")
BATCH_ENTRIES = 250
BATCH_BYTES = 500_000
# As much as one batch of the writer: while the database works on that, the next one is read. It also bounds the memory.
BATCHES_WAITING = 32
_STEP_SECONDS = 0.1


@dataclass(slots=True)
class _End:
    """The last thing that is put down: nothing more comes, or why not."""

    error: BaseException | None = None


class HandingOver(Generic[Batch]):
    """Takes batches from one thread to another, in their order."""

    def __init__(self) -> None:
        self._queue: SimpleQueue[tuple[Batch | _End, int]] = SimpleQueue()
        # A batch takes a place, and one of few large items as many as its bytes would fill.
        self._places = Semaphore(BATCHES_WAITING)
        self._stopped = Event()

    @property
    def is_over(self) -> bool:
        """Whether nobody takes batches any more."""
        return self._stopped.is_set()

    def put(self, batch: Batch, size: int) -> None:
        """Hand a batch over that took so many bytes; waits for room, but not for a taker that has gone."""
        places = max(1, min(size // BATCH_BYTES, BATCHES_WAITING))
        for _place in range(places):
            while not self._places.acquire(timeout=_STEP_SECONDS):
                if self._stopped.is_set():
                    return
        self._queue.put((batch, places))

    @contextmanager
    def taken(self, work: Callable[[], None], stop: Callable[[], None] = lambda: None) -> Iterator[Iterator[Batch]]:
        """The batches that `work` puts down in a thread of its own, until it returns.

        However the context is left, `stop` is called and the thread has ended. An error in it is raised where its
        batches would have come.
        """
        reader = Thread(target=self._run, args=(work,), name="legacy-reader", daemon=True)
        reader.start()
        try:
            yield self._batches()
        finally:
            self._stopped.set()
            stop()
            reader.join()

    def _batches(self) -> Iterator[Batch]:
        while True:
            batch, places = self._queue.get()
            if isinstance(batch, _End):
                break
            yield batch
            del batch
            self._places.release(places)
        if batch.error is not None:
            raise batch.error

    def _run(self, work: Callable[[], None]) -> None:
        try:
            work()
            self._queue.put((_End(), 0))
        except BaseException as error:  # noqa: BLE001 - it is raised again on the other side
            self._queue.put((_End(error), 0))
