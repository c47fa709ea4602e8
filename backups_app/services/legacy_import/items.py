"""What every part of an import works with: the project, the moment, the report, and how an outcome is counted."""

import json
from dataclasses import dataclass, field, replace
from datetime import datetime, tzinfo
from typing import Any

from backups_app.legacy.types import RAW_LIMIT, Finding, Level, Place, raw_text
from backups_app.models import ImportRun
from backups_app.services.legacy_import.findings import FindingLog
from backups_app.services.legacy_import.layers import LayeredSet
from backups_app.services.legacy_import.origins import OriginLog
from backups_app.services.legacy_import.report import ImportReport
from config.shared.callers import Caller


@dataclass(slots=True)
class ImportContext:
    """One run on its way, or one batch of it that is tried. `now` is when the run began, also when it is resumed.

    `sessions` are the ids of sessions that are known to be stored; `counted_workflows` are the workflows whose number
    of uses the store itself has kept; `renamed` are the sessions of this store that are kept beside stored ones of the
    same id, whose records follow them.
    """

    run: ImportRun
    now: datetime
    caller: Caller
    zone: tzinfo
    on_conflict: str = "keep"
    report: ImportReport = field(default_factory=ImportReport)
    sessions: LayeredSet[str] = field(default_factory=LayeredSet)
    counted_workflows: LayeredSet[str] = field(default_factory=LayeredSet)
    renamed: dict[str, str] = field(default_factory=dict)
    log: FindingLog = field(init=False)
    origins: OriginLog = field(init=False)

    def __post_init__(self) -> None:
        self.log = FindingLog(self.run, self.report)
        self.origins = OriginLog(self.run)

    @property
    def project_id(self) -> int:
        """The project that everything comes into."""
        return self.run.project_id

    def forked(self) -> "ImportContext":
        """A context for one batch: what it counts and learns is its own until it is settled."""
        return replace(
            self,
            report=self.report.forked(),
            sessions=self.sessions.forked(),
            counted_workflows=self.counted_workflows.forked(),
        )

    def settle_batch(self) -> None:
        """Keep what this fork has learned: its batch is committed."""
        self.report.settle()
        self.sessions.settle()
        self.counted_workflows.settle()

    def brought(self, kind: str, key: str, place: Place | None, session: int | None = None, zoneless: int = 0) -> None:
        """Keep where a row comes from that this run has stored: its public id, and its session's primary key.

        `zoneless` is how many of its times rest on the zone that was assumed.
        """
        self.origins.add(kind, key, place, session, str(self.zone) if zoneless else "")

    def settle(self, kind: str, result: str, *, repaired: bool = False, solved: str = "") -> None:
        """Count one item that was read: `new`, `same`, `conflicting` (and `replaced` or `both`) or `rejected`."""
        counts = self.report.kinds[kind]
        setattr(counts, result, getattr(counts, result) + 1)
        counts.repaired += repaired
        if solved:
            setattr(counts, solved, getattr(counts, solved) + 1)

    def refuse(self, kind: str, place: Place, detail: str, raw: Any) -> None:
        """Report an item that was read and counted, but cannot be stored."""
        self.log.add_note(Finding(Level.REJECTED, "not_storable", place, detail, kind, told(raw)))

    def contradict(self, kind: str, place: Place, detail: str, raw: Any) -> None:
        """Report an item that was read and counted, but contradicts what is stored, which stays."""
        self.log.add_note(Finding(Level.CONFLICT, "differs_from_stored", place, detail, kind, told(raw)))


def told(raw: Any) -> str:
    """An item as text for a finding; of a long one no more is written than is kept."""
    if isinstance(raw, dict):
        raw = {key: value[: RAW_LIMIT + 1] if isinstance(value, str) else value for key, value in raw.items()}
    pieces: list[str] = []
    length = 0
    for piece in json.JSONEncoder(ensure_ascii=False, default=str).iterencode(raw):
        pieces.append(piece[: RAW_LIMIT + 1])
        length += len(pieces[-1])
        if length > RAW_LIMIT:
            return f"{raw_text(''.join(pieces)[:RAW_LIMIT])}..."
    return raw_text("".join(pieces))
