"""`python -m backups_app.services.legacy_reading.child`: reads a store, and writes its entries to its output.

The job comes by its input. It has no connection to the database, and no settings but the limit of a field. It ends as
soon as its input does: the process that began it is gone then.
"""

import gc
import os
import pickle
import signal
import sys
import threading
import traceback
from contextlib import suppress
from typing import IO

from django.conf import settings

from backups_app.legacy.formats import LegacyStore
from backups_app.services.legacy_reading.entries import Yielded, size_of
from backups_app.services.legacy_reading.faults import fault_of
from backups_app.services.legacy_reading.handing_over import BATCH_BYTES, BATCH_ENTRIES
from backups_app.services.legacy_reading.job import ReadingJob
from backups_app.services.legacy_reading.wire import LENGTH, end_packed, packed

OBJECTS_BEFORE_COLLECTION = 200_000


class Sending:
    """A store on its way through a pipe, in batches."""

    def __init__(self, job: ReadingJob, sink: IO[bytes]) -> None:
        """Open the store."""
        self._now, self._sink = job.now, sink
        self._batch: list[Yielded] = []
        self._bytes = 0
        self._store: LegacyStore = job.opened(self.add)

    def add(self, entry: Yielded) -> None:
        """Take one item or finding on; waits while the other side is behind."""
        self._batch.append(entry)
        self._bytes += size_of(entry)
        if len(self._batch) >= BATCH_ENTRIES or self._bytes >= BATCH_BYTES:
            self._send()

    def run(self) -> None:
        """Send everything, and how it ended: an error in the reading is told after what came before it."""
        fault = trace = ""
        try:
            for item in self._store.items():
                self.add(item)
            self._send()
        except BrokenPipeError:
            raise
        except Exception as error:  # noqa: BLE001 - it is raised again on the other side
            fault, trace = fault_of(error), traceback.format_exc()
        self._put(end_packed(read=self._store.bytes_read, total=self._store.bytes, fault=fault, trace=trace))

    def _send(self) -> None:
        batch, self._batch, self._bytes = self._batch, [], 0
        self._put(packed(batch, now=self._now, read=self._store.bytes_read, total=self._store.bytes))

    def _put(self, data: bytes) -> None:
        self._sink.write(LENGTH.pack(len(data)))
        self._sink.write(data)
        self._sink.flush()


def main() -> None:
    """Read what the job says."""
    # Who interrupts the import from a terminal interrupts this process as well; the other one ends it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    sink = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    source = sys.stdin.buffer
    job: ReadingJob = pickle.load(source)  # noqa: S301 - our own process wrote it
    threading.Thread(target=_end_with, args=(source.fileno(),), daemon=True).start()
    settings.configure(MAX_RECORD_BYTES=job.record_bytes, USE_I18N=False)
    gc.set_threshold(OBJECTS_BEFORE_COLLECTION, *gc.get_threshold()[1:])
    with suppress(BrokenPipeError):
        # Nobody is there any more who would hear of it.
        Sending(job, sink).run()


def _end_with(source: int) -> None:
    """End this process when nobody holds the other end of its input any more."""
    while os.read(source, 1):
        pass
    os._exit(1)


if __name__ == "__main__":
    main()
