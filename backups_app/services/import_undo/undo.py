"""Takes an import back: looks whether anything was added since, and only then removes what the run alone brought."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from backups_app.models import ImportRun
from backups_app.services.import_undo.sessions import look_at, session_pages, take_out
from backups_app.services.import_undo.settings import look_beside, take_out_beside
from backups_app.services.legacy_import.runs import stale_imports_interrupt
from config.shared.callers import Caller
from config.shared.errors import Conflict, NotFound
from config.shared.retries import retried
from sessions_app.services.audit import audit_record

SHOWN_OBSTACLES = 100


@dataclass(slots=True)
class UndoReport:
    """What goes, by kind, and what stands in the way: the first hundred, and how many there are."""

    run_id: int
    counts: Counter[str] = field(default_factory=Counter)
    obstacles: list[str] = field(default_factory=list)
    obstacles_count: int = 0
    done: bool = False

    def add(self, counts: Counter[str], obstacles: list[str]) -> None:
        """Take one part on."""
        self.counts.update(counts)
        self.obstacles_count += len(obstacles)
        self.obstacles += obstacles[: SHOWN_OBSTACLES - len(self.obstacles)]

    def told(self) -> dict[str, Any]:
        """The report as JSON can hold it."""
        return {
            "run": self.run_id,
            "done": self.done,
            "kinds": dict(sorted(self.counts.items())),
            "obstacles": self.obstacles,
            "obstacles_count": self.obstacles_count,
        }


def import_undo(*, project_id: int, run_id: int, now: datetime, caller: Caller, dry_run: bool = True) -> UndoReport:
    """Take out what an import run alone has brought, and say what that is; with `dry_run` only say it.

    Nothing goes where something was added to it since, or changed: the report names it. It goes some sessions at a
    time, so that nobody waits long; what is cut short is simply done again. Raises NotFound, and Conflict for a run
    that is at work or was undone, or when something is added in the midst of it.
    """
    stale_imports_interrupt(now=now)
    run = ImportRun.objects.filter(project_id=project_id, pk=run_id).first()
    if run is None:
        raise NotFound(_("There is no import run %s.") % run_id)
    if run.status in (ImportRun.Status.RUNNING, ImportRun.Status.UNDONE):
        raise Conflict(_("Import run %(run)s is %(status)s.") % {"run": run.pk, "status": run.status})
    report = UndoReport(run.pk)
    for page in session_pages(run):
        report.add(*look_at(run, page))
    report.add(*look_beside(run))
    if not dry_run and not report.obstacles_count:
        for page in session_pages(run):
            retried(lambda page=page: take_out(run, page))  # type: ignore[misc]
        retried(lambda: _finish(run, report, now, caller))
        report.done = True
    return report


@transaction.atomic
def _finish(run: ImportRun, report: UndoReport, now: datetime, caller: Caller) -> None:
    take_out_beside(run, now, caller)
    ImportRun.objects.filter(pk=run.pk).update(status=ImportRun.Status.UNDONE)
    audit_record(
        project_id=run.project_id,
        caller=caller,
        action="import.undo",
        target_type="import",
        target_id=str(run.pk),
        changes={"source": run.source, "kinds": dict(report.counts)},
        now=now,
    )
