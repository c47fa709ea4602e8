"""What the import command prints for people, in plain lines."""

from collections.abc import Iterator

from backups_app.services.import_undo import UndoReport
from backups_app.services.legacy_import import ImportReport

COLUMNS = ("read", "new", "same", "conflicting", "rejected", "repaired", "skipped", "replaced", "both")
PRINTED_FINDINGS = 40


def report_lines(report: ImportReport, *, dry_run: bool) -> Iterator[str]:
    """The counts by kind, the sums, and the first findings."""
    yield f"{'':22}" + "".join(f"{name:>13}" for name in COLUMNS)
    for kind, counts in report.counts_told().items():
        yield f"{kind:22}" + "".join(f"{counts[name]:>13,}" for name in COLUMNS)
    sums = report.sums.told()
    yield (
        f"Tokens {sums['total_tokens']:,} (prompt {sums['prompt_tokens']:,}, completion "
        f"{sums['completion_tokens']:,}); reported cost {sums['cost']} USD."
    )
    if report.zoneless:
        yield f"Times without zone: {report.zoneless:,}, taken as {report.zone}."
    for finding in report.findings[:PRINTED_FINDINGS]:
        yield f"{finding.level.value}: {finding.place}: {finding.detail}"
    if report.findings_count > PRINTED_FINDINGS:
        yield f"... {report.findings_count} findings in all."
    yield f"Report: {report.file}"
    ending = "Nothing was written: this was a dry run." if dry_run else f"Import run {report.run_id}."
    yield f"{ending} {report.duration_seconds:.1f} s."


def undo_lines(report: UndoReport) -> Iterator[str]:
    """What went or would go, by kind, and what is in the way."""
    for kind, number in sorted(report.counts.items()):
        yield f"{kind:22}{number:>13,}"
    for obstacle in report.obstacles:
        yield f"in the way: {obstacle}"
    if report.obstacles_count > len(report.obstacles):
        yield f"... {report.obstacles_count} in all."
    if report.done:
        yield f"Import run {report.run_id} is taken out."
    elif not report.obstacles_count:
        yield f"Nothing was taken out yet: say --yes to take import run {report.run_id} out."
