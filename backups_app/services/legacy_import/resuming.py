"""Goes on where a run was interrupted: what is committed is passed over, and what it taught is known again."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from backups_app.legacy.types import Finding, LegacySession, LegacyWorkflow, Level, Place, StoreBegins
from backups_app.models import ImportFinding, ImportRun
from backups_app.services.legacy_import.conflicts import OnConflict
from backups_app.services.legacy_import.items import ImportContext
from backups_app.services.legacy_import.report import SHOWN_FINDINGS, ImportReport, KindCounts, Sums
from backups_app.services.legacy_import.sessions import renamed_recall
from backups_app.services.legacy_reading.entries import TOKEN_SUMS, Entry, ReadRecord
from sessions_app.models import Session

IDS_PER_QUERY = 500


def report_of(run: ImportRun) -> ImportReport:
    """The report of what a run has committed."""
    zone = run.options["timezone"]
    report = ImportReport(run_id=run.pk, status=run.status, zone=zone, duration_seconds=run.seconds)
    for kind, counts in run.counts.items():
        report.kinds[kind] = KindCounts(**counts)
    if run.sums:
        report.sums, report.new_sums = _sums(run.sums), _sums(run.sums["new"])
    rows = ImportFinding.objects.filter(run=run)
    report.findings_count = rows.count()
    report.findings = [_finding(row) for row in rows.order_by("pk").defer("raw")[:SHOWN_FINDINGS]]
    return report


def _sums(told: dict[str, Any]) -> Sums:
    return Sums(**{name: told[name] for name in TOKEN_SUMS}, cost=Decimal(told["cost"]))


def _finding(row: ImportFinding) -> Finding:
    place = Place(row.path, row.line, row.table or None, row.key or None)
    return Finding(Level(row.level), row.code, place, row.detail, row.kind)


def recall(entries: Iterable[Entry], context: ImportContext) -> None:
    """Know again what these entries, which are committed, had taught the run."""
    names: set[str] = set()
    sessions: list[LegacySession] = []
    for entry in entries:
        if isinstance(entry, ReadRecord):
            names.add(entry.session_id)
            context.report.recall(entry)
        elif isinstance(entry, LegacySession):
            names.add(entry.session_id)
            sessions.append(entry)
        elif isinstance(entry, StoreBegins):
            sessions.clear()
        elif isinstance(entry, LegacyWorkflow) and entry.usage_count:
            context.counted_workflows.add(entry.name)
    # A session that was rejected is not there: the first of its records makes a placeholder.
    wanted = sorted(names)
    for start in range(0, len(wanted), IDS_PER_QUERY):
        some = wanted[start : start + IDS_PER_QUERY]
        rows = Session.objects.filter(project_id=context.project_id, session_id__in=some)
        context.sessions.update(rows.values_list("session_id", flat=True))
    if context.on_conflict == OnConflict.BOTH:
        renamed_recall(sessions, context)
