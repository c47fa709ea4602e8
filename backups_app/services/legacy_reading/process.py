"""Reads a store in a process of its own: parsing takes as long as storing, and two processes have two cores."""

import fcntl
import pickle
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import IO

from django.conf import settings
from django.utils.translation import gettext as _

from backups_app.services.legacy_reading.entries import Entry
from backups_app.services.legacy_reading.handing_over import HandingOver
from backups_app.services.legacy_reading.job import ReadingJob
from backups_app.services.legacy_reading.wire import LENGTH, PICKLE_PROTOCOL, Packed, entries_of, unpacked
from config.shared.errors import LedgerError

CHILD = "backups_app.services.legacy_reading.child"
# A pipe of one megabyte, where the system gives that: the reader does not wait for every few records.
_PIPE_BYTES = 1024 * 1024
_PATIENCE_SECONDS = 10


class ReaderFailed(LedgerError):
    """The process that reads the store ended before its time; what is committed stands, and the run can be resumed."""


class ReadingProcess:
    """A store that a process reads: what it yields and what it reports, in the order in which it comes.

    It is begun anew and not forked, so that it shares neither connections nor locks, and may be begun in a worker.
    """

    def __init__(self, job: ReadingJob) -> None:
        """Begin the process."""
        self.bytes = self.bytes_read = 0
        self._handing: HandingOver[bytes] = HandingOver()
        self._process = subprocess.Popen(
            [sys.executable, "-m", CHILD], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=settings.BASE_DIR,
            bufsize=0,
        )  # fmt: skip
        assert self._process.stdin is not None  # noqa: S101
        assert self._process.stdout is not None  # noqa: S101
        self._source: IO[bytes] = self._process.stdout
        with suppress(OSError, AttributeError):
            fcntl.fcntl(self._source.fileno(), fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
        with suppress(BrokenPipeError):
            self._process.stdin.write(pickle.dumps(job, PICKLE_PROTOCOL))

    @contextmanager
    def entries(self) -> Iterator[Iterator[Entry]]:
        """Everything in order; however the context is left, the process has ended.

        Raises ReaderFailed where its entries would have come, when it ended before its time.
        """
        try:
            with self._handing.taken(self._receive, stop=self._process.kill) as batches:
                yield self._entries(batches)
        finally:
            self._close()

    def _entries(self, batches: Iterator[bytes]) -> Iterator[Entry]:
        for data in batches:
            batch = unpacked(data)
            del data
            self.bytes_read, self.bytes = batch.read, batch.total
            if batch.is_last:
                self._check(batch)
                return
            yield from entries_of(batch)
        raise ReaderFailed(_("The process that reads the store was ended: %s.") % self._how_it_ended())

    def _check(self, last: Packed) -> None:
        if last.fault:
            error = ReaderFailed(last.fault)
            error.add_note(last.trace)
            raise error

    def _how_it_ended(self) -> str:
        code = self._process.wait(_PATIENCE_SECONDS)
        return f"signal {-code}" if code < 0 else f"exit code {code}"

    def _receive(self) -> None:
        """Hand over one batch after the other, each read into its place; half a batch is the end of a dead process."""
        with open(self._source.fileno(), "rb", buffering=_PIPE_BYTES, closefd=False) as source:
            while len(head := source.read(LENGTH.size)) == LENGTH.size:
                (length,) = LENGTH.unpack(head)
                data = source.read(length)
                if len(data) < length:
                    return
                self._handing.put(data, LENGTH.size + length)
                # A long one is not kept while the next one is waited for.
                del data

    def _close(self) -> None:
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None  # noqa: S101
            pipe.close()
