"""Reads a store in a thread of its own, so that the next items are parsed while the database stores the last ones."""

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from queue import SimpleQueue
from threading import Event, Semaphore, Thread

from backups_app.legacy.types import (
    Finding,
    LegacyItem,
    StoreBegins,
)

Entry = LegacyItem | Finding | StoreBegins
BATCH_ENTRIES = 250
BATCH_BYTES = 500_000
# As much as one batch of the writer: while the database works on that, the next one is read. It also bounds the memory.
BATCHES_WAITING = 32
_STEP_SECONDS = 0.1


@dataclass(slots=True)
class _End:
    """The last thing that the reader puts down: nothing more comes, or why not."""

    error: BaseException | None = None


class ReadAhead:
    """What a parser yields and what it reports, handed over in the order in which it comes.

    Give `add` to the parser for its findings, and its items to `entries`.
    """

    def __init__(self) -> None:
        self._queue: SimpleQueue[tuple[list[Entry] | _End, int]] = SimpleQueue()
        # A batch takes a place, and one of few large items as many as its bytes would fill.
        self._places = Semaphore(BATCHES_WAITING)
        self._batch: list[Entry] = []
        self._bytes = 0
        self._stopped = Event()

    def add(self, entry: Entry) -> None:
        """Take one item or finding on; waits while the other side is behind."""
        self._batch.append(entry)
        self._bytes += size_of(entry)
        if len(self._batch) >= BATCH_ENTRIES or self._bytes >= BATCH_BYTES:
            self._hand_over()

    @contextmanager
    def entries(self, items: Generator[LegacyItem | StoreBegins, None, None]) -> Iterator[Iterator[Entry]]:
        """Everything in order, read by another thread.

        However the context is left, the reader is stopped and has closed what it had open. An error in the reader is
        raised where its items would have come.
        """
        reader = Thread(target=self._run, args=(items,), name="legacy-reader", daemon=True)
        reader.start()
        try:
            yield self._taken()
        finally:
            self._stopped.set()
            reader.join()

    def _taken(self) -> Iterator[Entry]:
        while True:
            batch, places = self._queue.get()
            if isinstance(batch, _End):
                break
            yield from batch
            del batch
            self._places.release(places)
        if batch.error is not None:
            raise batch.error

    def _run(self, items: Generator[LegacyItem | StoreBegins, None, None]) -> None:
        try:
            for item in items:
                self.add(item)
                if self._stopped.is_set():
                    items.close()
                    return
            self._hand_over()
            self._put(_End(), 0)
        except BaseException as error:  # noqa: BLE001 - it is raised again on the other side
            self._put(_End(error), 0)

    def _hand_over(self) -> None:
        batch, size, self._batch, self._bytes = self._batch, self._bytes, [], 0
        self._put(batch, max(1, min(size // BATCH_BYTES, BATCHES_WAITING)))

    def _put(self, batch: list[Entry] | _End, places: int) -> None:
        """Wait for room, but not for a consumer that has gone."""
        for _place in range(places):
            while not self._places.acquire(timeout=_STEP_SECONDS):
                if self._stopped.is_set():
                    return
        self._queue.put((batch, places))


def size_of(entry: Entry) -> int:
    """How many bytes an entry took in the source, as far as that is known."""
    return len(entry.raw or "") if isinstance(entry, Finding) else getattr(entry, "size", 0)
