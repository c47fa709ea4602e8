"""Runs an import from beginning to end: opens the store, brings everything in batch by batch, and reconciles."""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime, timedelta, tzinfo
from itertools import islice
from pathlib import Path
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import connection, transaction
from django.utils.translation import gettext as _

from backups_app.legacy.formats import FORMATS, LegacyStore, detect
from backups_app.legacy.locations import Location, location_of
from backups_app.legacy.types import Finding, Limits, Reading
from backups_app.models import ImportRun
from backups_app.services.backups.runs import lease_renewed
from backups_app.services.legacy_import.chunks import chunks
from backups_app.services.legacy_import.fingerprints import fingerprint_of
from backups_app.services.legacy_import.items import ImportContext
from backups_app.services.legacy_import.parts import Parts
from backups_app.services.legacy_import.read_ahead import Entry, ReadAhead
from backups_app.services.legacy_import.report import ImportReport
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
from config.shared.callers import Caller
from config.shared.errors import InvalidInput
from config.shared.retries import retried

AUTO = "auto"
SOURCE_LENGTH = 1000
# JSON can write a text twice as long as UTF-8 (\uXXXX for a Chinese character), and a record has more than one field. A
# longer line is told and passed over without being held in memory.
LINE_PER_RECORD = 3
Progress = Callable[[int, int], None]


def store_import(
    *,
    path: Location,
    project_id: int,
    now: datetime,
    caller: Caller,
    source_format: str = AUTO,
    zone: tzinfo = UTC,
    dry_run: bool = False,
    progress: Progress | None = None,
) -> ImportReport:
    """Bring the store at `path` (or at the URL of a server) into a project and return the reconciliation.

    Every batch is committed as it is written, with how far the run has come, and nothing that is stored is
    overwritten: a run that was cut short is resumed, or simply run again. With `dry_run` all of it happens in one
    transaction that is taken back. `zone` is that of times without one; `progress` is called with the bytes read and
    the bytes there are. Raises InvalidInput for a path that holds no store of the format. An error that is no fault of
    the store's content marks the run failed and is raised.
    """
    name = _format_of(path, source_format)
    run = ImportRun(
        project_id=project_id,
        source=str(path)[:SOURCE_LENGTH],
        source_format=name,
        options={"timezone": str(zone)},  # type: ignore[misc]
        fingerprint=fingerprint_of(path),
        started_at=now,
    )
    if not dry_run:
        stale_imports_interrupt(now=now)
        run_begin(run=run, now=now)
        return _Import(run, caller, now, progress).recorded(path)
    with transaction.atomic():
        run_begin(run=run, now=now)
        report = _Import(run, caller, now, progress, alone=True).recorded(path)
        transaction.set_rollback(True)
    report.run_id = None
    return report


def import_resume(
    *,
    project_id: int,
    now: datetime,
    caller: Caller,
    path: Location | None = None,
    run_id: int | None = None,
    progress: Progress | None = None,
) -> ImportReport:
    """Go on with an interrupted run, by its number or else the newest of this path, and return the reconciliation.

    It is as if it had never been interrupted: options and moment are those of its beginning. Raises NotFound,
    Conflict while its process is alive or when it has ended, InvalidInput where the source is another one by now.
    """
    if path is None and run_id is None:
        raise InvalidInput.at("/path", _("Say which store, or which run."))
    source = None if path is None else str(path)[:SOURCE_LENGTH]
    run = run_resumable(project_id=project_id, source=source, run_id=run_id, now=now)
    path = location_of(run.source) if path is None else path
    _format_of(path, run.source_format)
    run_take_over(run=run, fingerprint=fingerprint_of(path), now=now)
    return _Import(run, caller, now, progress).recorded(path)


def _format_of(path: Location, source_format: str) -> str:
    if isinstance(path, Path) and not path.is_dir() and not path.is_file():
        raise InvalidInput.at("/path", _("There is no file or folder %s.") % path)
    name = detect(path) if source_format == AUTO else source_format
    if name not in FORMATS:
        raise InvalidInput.at("/format", _("No known store lies in %s.") % path)
    return name


class _Import:
    """One process at work on a run that it has begun or taken over; `alone` says that nobody else sees its row."""

    def __init__(
        self, run: ImportRun, caller: Caller, now: datetime, progress: Progress | None, *, alone: bool = False
    ) -> None:
        self._run = run
        self._caller = caller
        self._begun = now
        self._clock = time.monotonic()
        self._before = run.seconds
        zone = ZoneInfo(run.options["timezone"])
        self._context = ImportContext(run, run.started_at, caller, zone, report=report_of(run))
        self._progress = progress
        self._alone = alone

    def recorded(self, path: Location) -> ImportReport:
        """Run, and leave in the run's row how it ended, however it ends."""
        try:
            with self._alive():
                self._bring_in(path)
        except BaseException as error:
            if not connection.needs_rollback:
                self._end(ImportRun.Status.FAILED, f"{type(error).__name__}: {error}")
            raise
        if self._context.report.balances:
            self._end(ImportRun.Status.COMPLETED)
        else:
            self._end(ImportRun.Status.FAILED, "What was read and what became of it do not balance.")
        return self._context.report

    def _alive(self) -> AbstractContextManager[None]:
        return nullcontext() if self._alone else lease_renewed(run_mine(self._run), f"import-{self._run.pk}")

    def _bring_in(self, path: Location) -> None:
        limits = Limits(
            line_bytes=LINE_PER_RECORD * settings.MAX_RECORD_BYTES,
            connect_seconds=settings.CONNECT_TIMEOUT,
            query_seconds=settings.QUERY_TIMEOUT,
        )
        ahead = ReadAhead()
        store = FORMATS[self._run.source_format].open(path, Reading(ahead.add, self._context.zone, limits))
        with ahead.entries(store.items()) as entries:
            self._go_on(entries)
            for chunk in chunks(entries):
                self._context = retried(lambda chunk=chunk: self._tried(chunk))  # type: ignore[misc]
                self._context.settle_batch()
                self._tell(store)
        self._tell(store)

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

    def _tell(self, store: LegacyStore) -> None:
        if self._progress is not None:
            self._progress(store.bytes_read, store.bytes)

    def _end(self, status: ImportRun.Status, failure: str = "") -> None:
        """Store how the run ended."""
        report = self._context.report
        report.duration_seconds = self._seconds()
        report.status = status.value
        run_end(
            run=self._run, status=status, failure=failure, report=report, seconds=report.duration_seconds,
            caller=self._caller, now=self._now(),
        )  # fmt: skip
