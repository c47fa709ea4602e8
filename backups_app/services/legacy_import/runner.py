"""Runs an import from beginning to end: opens the store, brings everything in batch by batch, and reconciles."""

import gc
import os
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from django.conf import settings
from django.db import connection, transaction
from django.utils.translation import gettext as _

from backups_app.legacy.files import is_file, is_folder
from backups_app.legacy.formats import FORMATS, detect
from backups_app.legacy.locations import Location, location_of
from backups_app.legacy.types import Finding, Limits, StoreBegins
from backups_app.legacy.walking import parts_of
from backups_app.models import ImportRun
from backups_app.services.leases import lease_renewed
from backups_app.services.legacy_import.chunks import chunks
from backups_app.services.legacy_import.dry_runs import dry_run as rehearsal
from backups_app.services.legacy_import.fingerprints import fingerprint_of
from backups_app.services.legacy_import.items import ImportContext
from backups_app.services.legacy_import.options import ImportOptions
from backups_app.services.legacy_import.parts import Parts
from backups_app.services.legacy_import.report import ImportReport
from backups_app.services.legacy_import.report_file import report_path, report_write
from backups_app.services.legacy_import.resuming import recall, report_of
from backups_app.services.legacy_import.runs import (
    run_advance,
    run_begin,
    run_end,
    run_mine,
    run_resumable,
    run_take_over,
    stale_imports_interrupt,
)
from backups_app.services.legacy_reading.entries import Entry
from backups_app.services.legacy_reading.faults import fault_of
from backups_app.services.legacy_reading.job import SEVERAL, ReadingJob
from backups_app.services.legacy_reading.readers import Reader, reader_of
from config.shared.callers import Caller
from config.shared.errors import InvalidInput
from config.shared.retries import retried

AUTO = "auto"
SOURCE_LENGTH = 1000
# JSON can write a text twice as long as UTF-8 (\uXXXX for a Chinese character), and a record has more than one field. A
# longer line is told and passed over without being held in memory.
LINE_PER_RECORD = 3


class Standing(NamedTuple):
    """How far an import has come: bytes of the source, entries, and the seconds that this process has been at work.

    `passed` of the entries were there before it took the run over.
    """

    bytes_read: int
    bytes: int
    entries: int
    passed: int
    seconds: float


Progress = Callable[[Standing], None]


def store_import(
    *,
    path: Location,
    project_id: int,
    now: datetime,
    caller: Caller,
    source: str | None = None,
    source_format: str = AUTO,
    options: ImportOptions | None = None,
    dry_run: bool = False,
    report_to: Path | None = None,
    progress: Progress | None = None,
) -> ImportReport:
    """Bring the store at `path` (or at the URL of a server) into a project and return the reconciliation.

    A folder of several stores is walked: each is recognised and read after the other. Every batch is committed as it
    is written, with how far the run has come: a run that was cut short is resumed, or simply run again. With
    `dry_run` all of it happens in a transaction that is taken back, with SQLite in a copy. `report_to` is the file of
    the report (default: one in DATA_DIR/reports), `source` what the store is called (default: its path). Raises
    InvalidInput for a path that holds no store of the format. An error that is no fault of the store's content marks
    the run failed and is raised.
    """
    chosen = options or ImportOptions()
    chosen.check()
    called = str(path) if source is None else source
    name = _format_of(path, source_format, called)
    run = ImportRun(
        project_id=project_id,
        source=called[:SOURCE_LENGTH],
        source_format=name,
        options=chosen.told(),  # type: ignore[misc]
        fingerprint=fingerprint_of(path),
        started_at=now,
    )
    if not dry_run:
        stale_imports_interrupt(now=now)
        run_begin(run=run, now=now)
        return _Import(run, caller, now, progress, report_to).recorded(path)
    with rehearsal():
        run_begin(run=run, now=now)
        report = _Import(run, caller, now, progress, report_to, alone=True).recorded(path)
    report.run_id = None
    return report


def import_resume(
    *,
    project_id: int,
    now: datetime,
    caller: Caller,
    path: Location | None = None,
    source: str | None = None,
    run_id: int | None = None,
    report_to: Path | None = None,
    progress: Progress | None = None,
) -> ImportReport:
    """Go on with an interrupted run, by its number or else the newest of this path, and return the reconciliation.

    A store that was called otherwise than by its path is named by `source` as well. It is as if it had never been
    interrupted: options and moment are those of its beginning. Raises NotFound, Conflict while its process is alive or
    when it has ended, InvalidInput where the source is another one by now.
    """
    if path is None and run_id is None:
        raise InvalidInput.at("/path", _("Say which store, or which run."))
    wanted = (source or str(path))[:SOURCE_LENGTH]
    run = run_resumable(project_id=project_id, source=wanted, run_id=run_id, now=now)
    path = location_of(run.source) if path is None else path
    _format_of(path, run.source_format, run.source)
    run_take_over(run=run, fingerprint=fingerprint_of(path), now=now)
    return _Import(run, caller, now, progress, report_to).recorded(path)


def _format_of(path: Location, source_format: str, called: str) -> str:
    if isinstance(path, Path) and not is_folder(path) and not is_file(path):
        raise InvalidInput.at("/path", _("There is no file or folder %s.") % called)
    if isinstance(path, Path) and not os.access(path, os.R_OK, effective_ids=True):
        raise InvalidInput.at("/path", _("%s may not be read: the permission is missing.") % called)
    name = _recognised(path) if source_format == AUTO else source_format
    if name != SEVERAL and name not in FORMATS:
        raise InvalidInput.at("/format", _("No known store lies in %s.") % called)
    return name


def _recognised(path: Location) -> str:
    if not isinstance(path, Path):
        return detect(path) or ""
    parts = parts_of(path)
    return SEVERAL if parts[0].path != path else parts[0].source_format or ""


@contextmanager
def _circles_collected() -> Iterator[Callable[[], int]]:
    """Yield what frees the circles of a batch; what was there before is not looked through each time.

    A statement that the database refuses leaves a circle of frames behind, which holds all rows of its batch, and
    Python's own collector comes round to it only when very many such objects have grown old.
    """
    gc.freeze()
    try:
        yield gc.collect
    finally:
        gc.unfreeze()


class _Import:
    """One process at work on a run that it has begun or taken over; `alone` says that nobody else sees its row."""

    def __init__(
        self,
        run: ImportRun,
        caller: Caller,
        now: datetime,
        progress: Progress | None,
        report_to: Path | None,
        *,
        alone: bool = False,
    ) -> None:
        self._run = run
        self._caller = caller
        self._begun = now
        self._clock = time.monotonic()
        self._before = run.seconds
        self._passed = run.position
        self._options = ImportOptions.of(run.options)
        self._context = ImportContext(
            run, run.started_at, caller, self._options.zone, self._options.on_conflict, report=report_of(run)
        )
        self._progress = progress
        self._report_to = report_to
        self._alone = alone

    def recorded(self, path: Location) -> ImportReport:
        """Run, and leave in the run's row how it ended, however it ends."""
        try:
            with self._alive():
                self._bring_in(path)
        except BaseException as error:
            if not connection.needs_rollback:
                self._end(ImportRun.Status.FAILED, fault_of(error))
            raise
        fault = self._context.report.fault
        self._end(ImportRun.Status.FAILED if fault else ImportRun.Status.COMPLETED, fault)
        return self._context.report

    def _alive(self) -> AbstractContextManager[None]:
        return nullcontext() if self._alone else lease_renewed(run_mine(self._run), f"import-{self._run.pk}")

    def _bring_in(self, path: Location) -> None:
        reader = reader_of(self._job(path))
        with reader.entries() as entries, _circles_collected() as collect:
            self._go_on(entries)
            for chunk in chunks(entries):
                self._context = retried(lambda chunk=chunk: self._tried(chunk))  # type: ignore[misc]
                self._context.settle_batch()
                collect()
                self._tell(reader)
        self._tell(reader)

    def _job(self, path: Location) -> ReadingJob:
        limits = Limits(
            line_bytes=LINE_PER_RECORD * settings.MAX_RECORD_BYTES,
            connect_seconds=settings.CONNECT_TIMEOUT,
            query_seconds=settings.QUERY_TIMEOUT,
        )
        return ReadingJob(
            path, self._run.source_format, self._options.zone, limits, self._options.statuses, self._context.now,
            settings.MAX_RECORD_BYTES,
        )  # fmt: skip

    def _go_on(self, entries: Iterator[Entry]) -> None:
        """Pass over what is committed already."""
        if self._run.position:
            recall(islice(entries, self._run.position), self._context)
            self._context.settle_batch()

    def _tried(self, chunk: list[Entry]) -> ImportContext:
        """Store one batch, all or nothing, and return what is known with it."""
        tried = self._context.forked()
        parts = Parts(tried)
        for entry in chunk:
            if isinstance(entry, Finding):
                tried.log.add(entry)
            elif isinstance(entry, StoreBegins):
                tried.renamed.clear()
            else:
                parts.add(entry)
        position = self._run.position + len(chunk)
        with transaction.atomic():
            parts.flush()
            tried.log.flush()
            tried.origins.flush()
            run_advance(run=self._run, position=position, report=tried.report, seconds=self._seconds(), now=self._now())
        self._run.position = position
        return tried

    def _seconds(self) -> float:
        return self._before + time.monotonic() - self._clock

    def _now(self) -> datetime:
        return self._begun + timedelta(seconds=time.monotonic() - self._clock)

    def _tell(self, reader: Reader) -> None:
        if self._progress is not None:
            seconds = time.monotonic() - self._clock
            self._progress(Standing(reader.bytes_read, reader.bytes, self._run.position, self._passed, seconds))

    def _end(self, status: ImportRun.Status, failure: str = "") -> None:
        """Store how the run ended."""
        report = self._context.report
        report.duration_seconds = self._seconds()
        report.status = status.value
        path = report_path(self._run, self._report_to)
        report.file = str(path)
        report_write(run=self._run, report=report, path=path)
        run_end(
            run=self._run, status=status, failure=failure, report=report, seconds=report.duration_seconds,
            caller=self._caller, now=self._now(),
        )  # fmt: skip
