"""What became of each record of a batch."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from config.shared.errors import LedgerError

if TYPE_CHECKING:
    from history_app.services.ingest.singles import Single


class OutcomeKind(StrEnum):
    """Stored now; stored before with the same content; stored before with another content; not storable."""

    NEW = "new"
    SAME = "same"
    CONFLICT = "conflict"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one record; `pointer` and `reason` say why it was not stored."""

    kind: OutcomeKind
    pointer: str = ""
    reason: str = ""


NEW = Outcome(OutcomeKind.NEW)
SAME = Outcome(OutcomeKind.SAME)


class BatchRefused(LedgerError):
    """A batch that was to be stored whole or not at all holds records that cannot be stored; nothing was."""

    def __init__(self, outcomes: list[Outcome]) -> None:
        super().__init__("The batch holds records that cannot be stored.")
        self.outcomes = outcomes


@dataclass(slots=True)
class WriteResult:
    """`outcomes[i]` belongs to the batch's i-th draft; `session_pks` are the rows of its sessions, by session id.

    `single` is there where the batch is one record that took the short way: it knows its row.
    """

    outcomes: list[Outcome]
    session_pks: dict[str, int] = field(default_factory=dict)
    single: "Single | None" = None

    def count(self, kind: OutcomeKind) -> int:
        """Return how many records came out this way."""
        return sum(outcome.kind == kind for outcome in self.outcomes)
