"""What every part of an import works with: the project, the moment, the report, and how an outcome is counted."""

import json
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from typing import Any

from backups_app.legacy.types import Finding, Level, Place, raw_text
from backups_app.services.legacy_import.findings import FindingLog
from backups_app.services.legacy_import.report import ImportReport
from config.shared.callers import Caller


@dataclass(slots=True)
class ImportContext:
    """One run on its way. `sessions` are the ids of sessions that are known to be stored.

    `counted_workflows` are the workflows whose number of uses the store itself has kept.
    """

    project_id: int
    now: datetime
    caller: Caller
    report: ImportReport
    log: FindingLog
    zone: tzinfo
    sessions: set[str] = field(default_factory=set)
    counted_workflows: set[str] = field(default_factory=set)

    def settle(self, kind: str, result: str, *, repaired: bool = False) -> None:
        """Count one item that was read: `new`, `same`, `conflicting` or `rejected`."""
        counts = self.report.kinds[kind]
        setattr(counts, result, getattr(counts, result) + 1)
        counts.repaired += repaired

    def refuse(self, kind: str, place: Place, detail: str, raw: Any) -> None:
        """Report an item that was read and counted, but cannot be stored."""
        self.log.add_note(Finding(Level.REJECTED, "not_storable", place, detail, kind, told(raw)))

    def contradict(self, kind: str, place: Place, detail: str, raw: Any) -> None:
        """Report an item that was read and counted, but contradicts what is stored, which stays."""
        self.log.add_note(Finding(Level.CONFLICT, "differs_from_stored", place, detail, kind, told(raw)))


def told(raw: Any) -> str:
    """An item as text for a finding."""
    return raw_text(json.dumps(raw, ensure_ascii=False, default=str))
