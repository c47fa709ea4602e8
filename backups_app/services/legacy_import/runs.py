"""The row of an import run: begun, kept alive, moved on with every batch, taken over after a kill, and ended."""

import os
import socket
from contextlib import suppress
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from backups_app.models import ImportRun
from backups_app.services.leases import lease_end
from backups_app.services.legacy_import.report import ImportReport
from config.shared.callers import Caller
from config.shared.errors import Conflict, InvalidInput, NotFound
from sessions_app.services.audit import audit_record

RESUMABLE = (ImportRun.Status.INTERRUPTED, ImportRun.Status.FAILED)


def run_begin(*, run: ImportRun, now: datetime) -> None:
    """Store the row of a run that begins now, in this process."""
    run.worker, run.lease_until = _this_process(), lease_end(now)
    run.save(force_insert=True)


def run_mine(run: ImportRun) -> QuerySet[ImportRun]:
    """The row, as long as this process is the one at work on it."""
    return ImportRun.objects.filter(pk=run.pk, status=ImportRun.Status.RUNNING, attempt=run.attempt)


def run_advance(*, run: ImportRun, position: int, report: ImportReport, seconds: float, now: datetime) -> None:
    """Store how far the run has come, within the transaction of what it stored.

    Raises Conflict where another process has taken the run over: nothing of this batch is stored then.
    """
    moved = run_mine(run).update(
        position=position,
        counts=report.counts_told(),
        sums=report.sums_told(),
        seconds=seconds,
        lease_until=lease_end(now),
    )
    if not moved:
        raise Conflict(_("Another process has taken this import over."))


@transaction.atomic
def run_end(
    *, run: ImportRun, status: str, failure: str, report: ImportReport, seconds: float, caller: Caller, now: datetime
) -> None:
    """Store how the run ended, and audit that. A run that another process has taken over is left to it."""
    ended = run_mine(run).update(
        status=status,
        failure=failure,
        report=report.file,
        counts=report.counts_told(),
        sums=report.sums_told(),
        seconds=seconds,
        lease_until=None,
        finished_at=max(now, run.started_at),
    )
    if not ended:
        return
    run.refresh_from_db()
    audit_record(
        project_id=run.project_id,
        caller=caller,
        action="import.run",
        target_type="import",
        target_id=str(run.pk),
        changes={"source": run.source, "status": status},
        now=now,
    )


def run_resumable(*, project_id: int, source: str, run_id: int | None, now: datetime) -> ImportRun:
    """Return the run to go on with: the one of this number, or the newest of this source that did not end.

    Raises NotFound where there is none, Conflict where its process is alive or it has ended.
    """
    stale_imports_interrupt(now=now)
    rows = ImportRun.objects.filter(project_id=project_id).order_by("-started_at", "-pk")
    if run_id is not None:
        rows = rows.filter(pk=run_id)
    else:
        rows = rows.filter(source=source, status__in=[*RESUMABLE, ImportRun.Status.RUNNING])
    run: ImportRun | None = rows.first()
    if run is None:
        raise NotFound(_("There is no import that could be resumed."))
    if run.status not in RESUMABLE:
        raise Conflict(_("Import run %(run)s is %(status)s.") % {"run": run.pk, "status": run.status})
    return run


def run_take_over(*, run: ImportRun, fingerprint: str, now: datetime) -> None:
    """Make this process the one at work on an interrupted run.

    Raises InvalidInput where the source is another one by now, Conflict where somebody else was faster.
    """
    if not fingerprint:
        detail = _("A server may have changed meanwhile. Import it again: what is stored is counted as the same.")
        raise InvalidInput.at("/resume", detail)
    if run.position and fingerprint != run.fingerprint:
        detail = _("The store has changed since. Import it again: what is stored is counted as the same.")
        raise InvalidInput.at("/resume", detail)
    waiting = ImportRun.objects.filter(pk=run.pk, status__in=RESUMABLE, attempt=run.attempt)
    taken = waiting.update(
        status=ImportRun.Status.RUNNING,
        attempt=run.attempt + 1,
        worker=_this_process(),
        lease_until=lease_end(now),
        failure="",
        finished_at=None,
        fingerprint=fingerprint,
    )
    if not taken:
        raise Conflict(_("Another process has taken this import over."))
    run.refresh_from_db()


def stale_imports_interrupt(*, now: datetime) -> list[int]:
    """Mark the runs as interrupted whose process died, and return their numbers. Safe at any time, and twice.

    A run is dead when its lease was not renewed, or when its process on this host is gone.
    """
    dead = [run for run in ImportRun.objects.filter(status=ImportRun.Status.RUNNING) if _is_dead(run, now)]
    return [run.pk for run in dead if run_mine(run).update(**_interrupted(run, now))]


def _interrupted(run: ImportRun, now: datetime) -> dict[str, Any]:
    failure = "The process that was at work on it disappeared. It can be resumed."
    return {
        "status": ImportRun.Status.INTERRUPTED,
        "failure": failure,
        "lease_until": None,
        "finished_at": max(now, run.started_at),
    }


def _is_dead(run: ImportRun, now: datetime) -> bool:
    if run.lease_until is None or run.lease_until < now:
        return True
    host, _space, number = run.worker.rpartition(" ")
    if host != socket.gethostname() or int(number) == os.getpid():
        return False
    with suppress(PermissionError):
        try:
            os.kill(int(number), 0)
        except ProcessLookupError:
            return True
    return False


def _this_process() -> str:
    return f"{socket.gethostname()[:200]} {os.getpid()}"
