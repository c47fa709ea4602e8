"""Takes down the findings of a run: counts them, keeps the first in memory, and stores all of them."""

from msgspec.structs import replace

from backups_app.legacy.types import Finding, Level
from backups_app.models import ImportFinding, ImportRun
from backups_app.services.legacy_import.report import SHOWN_FINDINGS, ImportReport

# A batch stays well under MariaDB's packet of 16 MB.
MOST_IN_BATCH = 200
MOST_CHARACTERS = 1_000_000


class FindingLog:
    """The findings of one batch of a run. Call `flush` in the batch's transaction."""

    def __init__(self, run: ImportRun, report: ImportReport) -> None:
        """`report` is told of every finding; `run` is what the stored ones hang on."""
        self._run = run
        self._report = report
        self._waiting: list[ImportFinding] = []

    def add(self, finding: Finding) -> None:
        """Take one finding down. A rejected one stands for an item that was read; a skipped one for none."""
        counts = self._report.kinds[finding.kind]
        if finding.level == Level.REJECTED:
            counts.read += 1
            counts.rejected += 1
        elif finding.level == Level.SKIPPED:
            counts.skipped += 1
        self.add_note(finding)

    def add_note(self, finding: Finding) -> None:
        """Take one finding down about an item that is counted elsewhere."""
        self._report.findings_count += 1
        if len(self._report.findings) < SHOWN_FINDINGS:
            # The source's own text may be long: it is stored with the row, not held in memory.
            self._report.findings.append(replace(finding, raw=None))
        self._waiting.append(self._row(finding))

    def flush(self) -> None:
        """Store what is waiting, in statements of a bounded size."""
        rows, self._waiting = self._waiting, []
        start = characters = 0
        for number, row in enumerate(rows):
            characters += len(row.raw) + len(row.detail)
            if number - start >= MOST_IN_BATCH or characters >= MOST_CHARACTERS:
                ImportFinding.objects.bulk_create(rows[start:number])
                start, characters = number, len(row.raw) + len(row.detail)
        ImportFinding.objects.bulk_create(rows[start:])

    def _row(self, finding: Finding) -> ImportFinding:
        place = finding.place
        return ImportFinding(
            run=self._run,
            level=finding.level.value,
            kind=finding.kind,
            code=finding.code,
            path=place.path,
            line=place.line,
            table=place.table or "",
            key=place.key or "",
            detail=finding.detail,
            raw=finding.raw or "",
        )
