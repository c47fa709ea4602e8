"""Runs an import from beginning to end: opens the store, brings everything in, and reconciles."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path

from django.conf import settings
from django.db import connection, transaction
from django.utils.translation import gettext as _

from backups_app.legacy.formats import FORMATS, LegacyStore, detect
from backups_app.legacy.locations import Location
from backups_app.legacy.types import Finding, Limits, Reading
from backups_app.models import ImportRun
from backups_app.services.legacy_import.findings import FindingLog
from backups_app.services.legacy_import.items import ImportContext
from backups_app.services.legacy_import.parts import Parts
from backups_app.services.legacy_import.read_ahead import ReadAhead
from backups_app.services.legacy_import.report import ImportReport
from config.shared.callers import Caller
from config.shared.errors import InvalidInput
from sessions_app.services.audit import audit_record

AUTO = "auto"
SOURCE_LENGTH = 1000
ENTRIES_PER_PROGRESS = 500
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

    Every batch is committed as it is written, and nothing that is stored is overwritten: a run that was cut short is
    simply run again. With `dry_run` all of it happens in one transaction that is taken back. `zone` is that of times
    without one; `progress` is called with the bytes read and the bytes there are. Raises InvalidInput for a path that
    holds no store of the format. An error that is no fault of the store's content marks the run failed and is raised.
    """
    name = _format_of(path, source_format)
    run = ImportRun(
        project_id=project_id,
        source=str(path)[:SOURCE_LENGTH],
        source_format=name,
        options={"timezone": str(zone)},  # type: ignore[misc]
        started_at=now,
    )
    work = _Import(run, caller, zone, progress)
    if not dry_run:
        return work.recorded(path)
    with transaction.atomic():
        report = work.recorded(path)
        transaction.set_rollback(True)
    report.run_id = None
    return report


def _format_of(path: Location, source_format: str) -> str:
    if isinstance(path, Path) and not path.is_dir() and not path.is_file():
        raise InvalidInput.at("/path", _("There is no file or folder %s.") % path)
    name = detect(path) if source_format == AUTO else source_format
    if name not in FORMATS:
        raise InvalidInput.at("/format", _("No known store lies in %s.") % path)
    return name


class _Import:
    """One run of an import."""

    def __init__(self, run: ImportRun, caller: Caller, zone: tzinfo, progress: Progress | None) -> None:
        self._run = run
        self._report = ImportReport()
        self._log = FindingLog(run, self._report)
        self._context = ImportContext(run.project_id, run.started_at, caller, self._report, self._log, zone)
        self._progress = progress
        self._begun = time.monotonic()

    def recorded(self, path: Location) -> ImportReport:
        """Run, and leave in the run's row how it ended, however it ends."""
        self._run.save(force_insert=True)
        self._report.run_id = self._run.pk
        try:
            self._bring_in(path)
        except BaseException as error:
            if not connection.needs_rollback:
                self._end(ImportRun.Status.FAILED, f"{type(error).__name__}: {error}")
            raise
        if self._report.balances:
            self._end(ImportRun.Status.COMPLETED)
        else:
            self._end(ImportRun.Status.FAILED, "What was read and what became of it do not balance.")
        return self._report

    def _bring_in(self, path: Location) -> None:
        limits = Limits(
            line_bytes=LINE_PER_RECORD * settings.MAX_RECORD_BYTES,
            connect_seconds=settings.CONNECT_TIMEOUT,
            query_seconds=settings.QUERY_TIMEOUT,
        )
        ahead = ReadAhead()
        store = FORMATS[self._run.source_format].open(path, Reading(ahead.add, self._context.zone, limits))
        parts = Parts(self._context)
        with ahead.entries(store.items()) as entries:
            for number, entry in enumerate(entries):
                if isinstance(entry, Finding):
                    self._log.add(entry)
                else:
                    parts.add(entry)
                if number % ENTRIES_PER_PROGRESS == 0:
                    self._tell(store)
        parts.flush()
        self._tell(store)

    def _tell(self, store: LegacyStore) -> None:
        if self._progress is not None:
            self._progress(store.bytes_read, store.bytes)

    def _end(self, status: ImportRun.Status, failure: str = "") -> None:
        """Store how the run ended, with all findings so far."""
        self._log.flush()
        self._report.duration_seconds = time.monotonic() - self._begun
        self._report.status = status.value
        self._run.status = status
        self._run.failure = failure
        self._run.counts = self._report.counts_told()
        self._run.sums = self._report.sums_told()
        self._run.finished_at = self._run.started_at + timedelta(seconds=self._report.duration_seconds)
        self._run.save(force_update=True)
        audit_record(
            project_id=self._run.project_id,
            caller=self._context.caller,
            action="import.run",
            target_type="import",
            target_id=str(self._run.pk),
            changes={"source": self._run.source, "status": status.value},
            now=self._run.finished_at,
        )
