"""What an import says of itself: counts by kind that have to balance, exact sums, and its first findings."""

from collections import defaultdict
from copy import copy
from dataclasses import asdict, dataclass, field, replace
from decimal import Decimal
from typing import Any

from backups_app.legacy.types import NO_SERVER, Finding
from backups_app.services.legacy_import.layers import LayeredSet
from backups_app.services.legacy_reading.entries import TOKEN_SUMS, ReadRecord
from config.shared.fields import EXACT, amount_text

SHOWN_FINDINGS = 1000
SUMMED = ("token_usage", "cost")


@dataclass(slots=True)
class KindCounts:
    """How many items of one kind were read, and what became of each.

    Counted beside are `repaired` and `skipped`, of the conflicting ones those that `replaced` what was stored or were
    stored beside it (`both`), and how many of their times had no zone (`zoneless`).
    """

    read: int = 0
    new: int = 0
    same: int = 0
    conflicting: int = 0
    rejected: int = 0
    repaired: int = 0
    skipped: int = 0
    replaced: int = 0
    both: int = 0
    zoneless: int = 0

    @property
    def balances(self) -> bool:
        """Whether something became of every item that was read."""
        return self.read == self.new + self.same + self.conflicting + self.rejected


@dataclass(slots=True)
class Sums:
    """Tokens of `token_usage` records and money of `cost` records, to the last digit."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    total_tokens: int = 0
    cost: Decimal = field(default_factory=Decimal)

    def add(self, record: ReadRecord) -> None:
        """Add what a record of tokens or of cost says."""
        if isinstance(record.summed, tuple):
            prompt, completion, total = record.summed
            self.prompt_tokens += prompt or 0
            self.completion_tokens += completion or 0
            self.total_tokens += total or 0
        elif record.summed is not None:
            self.cost = EXACT.add(self.cost, record.summed)

    def told(self) -> dict[str, Any]:
        """The sums as JSON can hold them exactly."""
        return {**{name: getattr(self, name) for name in TOKEN_SUMS}, "cost": amount_text(self.cost)}


def _key(record: ReadRecord) -> int:
    return hash((record.session_id, record.kind, record.record_id))


@dataclass(slots=True)
class ImportReport:
    """The reconciliation of one run. `sums` are over all that was accepted, `new_sums` over what was new among it.

    `zone` is what times without one were taken as.
    """

    run_id: int | None = None
    status: str = "running"
    zone: str = "UTC"
    kinds: defaultdict[str, KindCounts] = field(default_factory=lambda: defaultdict(KindCounts))
    sums: Sums = field(default_factory=Sums)
    new_sums: Sums = field(default_factory=Sums)
    findings: list[Finding] = field(default_factory=list)
    findings_count: int = 0
    duration_seconds: float = 0.0
    file: str = ""
    _summed: LayeredSet[int] = field(default_factory=LayeredSet, repr=False, compare=False)

    @property
    def balances(self) -> bool:
        """Whether every kind balances."""
        return all(counts.balances for counts in self.kinds.values())

    @property
    def fault(self) -> str:
        """Why the run has failed although it came to its end; empty where it has not."""
        if not self.balances:
            return "What was read and what became of it do not balance."
        return next((finding.detail for finding in self.findings if finding.code == NO_SERVER), "")

    @property
    def zoneless(self) -> int:
        """How many times had no zone."""
        return sum(counts.zoneless for counts in self.kinds.values())

    def add_sums(self, record: ReadRecord, *, is_new: bool) -> None:
        """Add what an accepted record of tokens or of cost says; one that a store holds twice is added once."""
        if record.kind not in SUMMED:
            return
        key = _key(record)
        if key not in self._summed:
            self.sums.add(record)
        if is_new:
            self.new_sums.add(record)
        self._summed.add(key)

    def recall(self, record: ReadRecord) -> None:
        """Know a record that was added before the run was interrupted."""
        if record.kind in SUMMED:
            self._summed.add(_key(record))

    def forked(self) -> "ImportReport":
        """The same report, to which a batch may add: where the batch fails, it is dropped."""
        return replace(
            self,
            kinds=defaultdict(KindCounts, {kind: copy(counts) for kind, counts in self.kinds.items()}),
            sums=copy(self.sums),
            new_sums=copy(self.new_sums),
            findings=[*self.findings],
            _summed=self._summed.forked(),
        )

    def settle(self) -> None:
        """Keep what a batch added: it is committed."""
        self._summed.settle()

    def counts_told(self) -> dict[str, dict[str, int]]:
        """The counts by kind as plain data."""
        return {kind: asdict(self.kinds[kind]) for kind in sorted(self.kinds)}

    def sums_told(self) -> dict[str, Any]:
        """The sums as plain data."""
        return {**self.sums.told(), "new": self.new_sums.told()}

    def told(self) -> dict[str, Any]:
        """The whole report as JSON can hold it, with the first findings."""
        return {
            "run": self.run_id,
            "status": self.status,
            "kinds": self.counts_told(),
            "sums": self.sums_told(),
            "times_without_zone": {"count": self.zoneless, "taken_as": self.zone},
            "findings": [finding_told(finding) for finding in self.findings],
            "findings_count": self.findings_count,
            "report": self.file,
            "duration_seconds": round(self.duration_seconds, 3),
        }


def finding_told(finding: Finding) -> dict[str, Any]:
    """A finding as plain data, without the source's own text."""
    place = finding.place
    return {
        "level": finding.level.value,
        "code": finding.code,
        "kind": finding.kind,
        "path": place.path,
        "line": place.line,
        "table": place.table,
        "key": place.key,
        "detail": finding.detail,
    }
