"""One examination of the store: every check, and the repairs with their audit."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import transaction

from backups_app.services.doctor import numbering, secrets, walls, work
from backups_app.services.doctor.findings import Check, Finding
from config.shared.callers import Caller
from config.shared.retries import retried
from sessions_app.models import Project
from sessions_app.models.accounts import DEFAULT_PROJECT
from sessions_app.services.audit import audit_record

CHECKS: tuple[Check, ...] = (*numbering.CHECKS, *work.CHECKS, *walls.CHECKS, *secrets.CHECKS)
# So many findings of a kind are told one by one; all of them are counted, and repaired.
TOLD_AT_MOST = 200
# A store may hold thousands of what is only worth knowing.
NOTED_AT_MOST = 5


@dataclass(slots=True)
class Examination:
    """What was found, by code, and how much of it was repaired; `told` are the first findings of each kind.

    `noted` is what is no fault, by code, and `notes` are the first of it.
    """

    found: Counter[str] = field(default_factory=Counter)
    repaired: Counter[str] = field(default_factory=Counter)
    told: list[dict[str, Any]] = field(default_factory=list)
    noted: Counter[str] = field(default_factory=Counter)
    notes: list[dict[str, Any]] = field(default_factory=list)

    @property
    def left(self) -> int:
        """How many faults are still there."""
        return self.found.total() - self.repaired.total()

    def as_json(self) -> dict[str, Any]:
        """Return the whole of it as JSON."""
        return {
            "found": dict(self.found),
            "repaired": dict(self.repaired),
            "left": self.left,
            "findings": self.told,
            "noted": dict(self.noted),
            "notes": self.notes,
        }


def store_examine(
    *,
    caller: Caller,
    now: datetime,
    repair: bool = False,
    check: Callable[[], None] | None = None,
    told: Callable[[dict[str, Any]], None] | None = None,
) -> Examination:
    """Look for every kind of fault, and with `repair` put right what can be put right safely, each with an audit entry.

    Memory does not grow with the store. Writers go on meanwhile: each repair looks again in its own transaction.
    `check` is called before each kind (to stop a job), `told` with each finding as it is found; a note is no finding.
    """
    examination = Examination()
    for each in CHECKS:
        if check:
            check()
        for finding in each.find(now):
            if not each.is_fault:
                _note_down(examination, each, finding)
                continue
            repaired = repair and _repaired(each, finding, caller, now)
            _note(examination, each, finding, repaired, told)
    return examination


def _note_down(examination: Examination, check: Check, finding: Finding) -> None:
    examination.noted[check.code] += 1
    if examination.noted[check.code] <= NOTED_AT_MOST:
        examination.notes.append({"code": check.code, "place": finding.place, "detail": finding.detail})


def _note(
    examination: Examination,
    check: Check,
    finding: Finding,
    repaired: bool,
    told: Callable[[dict[str, Any]], None] | None,
) -> None:
    examination.found[check.code] += 1
    examination.repaired[check.code] += repaired
    if examination.found[check.code] <= TOLD_AT_MOST:
        line = {"code": check.code, "place": finding.place, "detail": finding.detail, "repaired": repaired}
        examination.told.append(line)
        if told:
            told(line)


def _repaired(check: Check, finding: Finding, caller: Caller, now: datetime) -> bool:
    """Repair one finding and audit that, in one transaction; True also when somebody else has put it right."""
    if check.repair is None:
        return False

    def put_right() -> bool:
        with transaction.atomic():
            changes = check.repair(finding, now)  # type: ignore[misc]
            if changes is not None:
                _audit(check, finding, changes, caller, now)
        return True

    return retried(put_right)


def _audit(check: Check, finding: Finding, changes: dict[str, Any], caller: Caller, now: datetime) -> None:
    default = Project.objects.filter(slug=DEFAULT_PROJECT).values_list("pk", flat=True)
    audit_record(
        project_id=finding.project_id or default.get(),
        caller=caller,
        action="doctor.repair",
        target_type=check.code,
        target_id=finding.place,
        changes=changes,
        now=now,
    )
