"""Who reads a store: a thread of this process, or a process of its own where that is worth its beginning."""

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from django.conf import settings
from msgspec.structs import replace

from backups_app.legacy.files import FoundFile, files_at
from backups_app.legacy.locations import Location
from backups_app.services.legacy_reading.entries import Entry
from backups_app.services.legacy_reading.job import ReadingJob
from backups_app.services.legacy_reading.process import ReadingProcess
from backups_app.services.legacy_reading.read_ahead import ReadAhead


class Reader(Protocol):
    """A store that is read beside the process that stores it."""

    @property
    def bytes(self) -> int:
        """How much there is, as far as that is known."""

    @property
    def bytes_read(self) -> int:
        """How much of it was read."""

    def entries(self) -> AbstractContextManager[Iterator[Entry]]:
        """Everything in order, to be taken once."""


def reader_of(job: ReadingJob) -> Reader:
    """Return the reader for a job: both kinds give the same entries.

    A server is read by a thread, which mostly waits for it; so is a store of less than IMPORT_PROCESS_BYTES, and
    everything where there is one processor.
    """
    if not isinstance(job.path, Path) or _processors() == 1 or _bytes_at(job.path) < settings.IMPORT_PROCESS_BYTES:
        return ReadAhead(job)
    return ReadingProcess(replace(job, path=job.path.absolute()))


def _processors() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _bytes_at(location: Location) -> int:
    assert isinstance(location, Path)  # noqa: S101
    return sum(found.size for found in files_at(location) if isinstance(found, FoundFile))
