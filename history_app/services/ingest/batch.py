"""One batch on its way: its records with their sessions, and what became of each."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from msgspec import Struct

from history_app.services.drafts import Draft
from history_app.services.ingest.results import NEW, SAME, Outcome, OutcomeKind
from history_app.services.ingest.sessions import TakenSession


class Entry(Struct, gc=False):
    """One record of the batch with the session it belongs to; `index` is its place in the batch."""

    index: int
    draft: Draft
    session: TakenSession

    @property
    def key(self) -> tuple[int, str]:
        """What identifies the record among those of its kind."""
        return self.session.pk, self.draft.record_id


@dataclass(slots=True)
class Batch:
    """The batch's project and moment, and the outcome of each record, filled in as they are settled."""

    project_id: int
    now: datetime
    outcomes: list[Outcome]

    def stored(self, entries: Iterable[Entry]) -> None:
        """Settle records that were stored now."""
        for entry in entries:
            self.outcomes[entry.index] = NEW
            entry.session.touch(entry.draft.timestamp)

    def repeated(self, entry: Entry, same: bool) -> None:
        """Settle a record whose id was there before, with the same content or another one."""
        self.outcomes[entry.index] = SAME if same else CONFLICT


CONFLICT = Outcome(OutcomeKind.CONFLICT, "/record_id", "Another record is stored under this id.")
