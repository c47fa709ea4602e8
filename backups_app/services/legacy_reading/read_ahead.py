"""Reads a store in a thread of its own, so that the next items are parsed while the database stores the last ones."""

from collections.abc import Iterator
from contextlib import contextmanager

from backups_app.legacy.formats import LegacyStore
from backups_app.services.legacy_reading.entries import Entry, Yielded, entry_of, size_of
from backups_app.services.legacy_reading.handing_over import BATCH_BYTES, BATCH_ENTRIES, HandingOver
from backups_app.services.legacy_reading.job import ReadingJob


class ReadAhead:
    """A store that a thread reads: what it yields and what it reports, in the order in which it comes."""

    def __init__(self, job: ReadingJob) -> None:
        """Open the store."""
        self._now = job.now
        self._handing: HandingOver[list[Yielded]] = HandingOver()
        self._batch: list[Yielded] = []
        self._bytes = 0
        self._store: LegacyStore = job.opened(self.add)

    @property
    def bytes(self) -> int:
        """How much there is, as far as that is known."""
        return self._store.bytes

    @property
    def bytes_read(self) -> int:
        """How much of it was read."""
        return self._store.bytes_read

    def add(self, entry: Yielded) -> None:
        """Take one item or finding on; waits while the other side is behind."""
        self._batch.append(entry)
        self._bytes += size_of(entry)
        if len(self._batch) >= BATCH_ENTRIES or self._bytes >= BATCH_BYTES:
            self._hand_over()

    @contextmanager
    def entries(self) -> Iterator[Iterator[Entry]]:
        """Everything in order; however the context is left, the reader is stopped and has closed what it had open."""
        with self._handing.taken(self._read) as batches:
            yield (entry_of(yielded, self._now) for batch in batches for yielded in batch)

    def _read(self) -> None:
        items = self._store.items()
        for item in items:
            self.add(item)
            if self._handing.is_over:
                items.close()
                return
        self._hand_over()

    def _hand_over(self) -> None:
        batch, size, self._batch, self._bytes = self._batch, self._bytes, [], 0
        self._handing.put(batch, size)
