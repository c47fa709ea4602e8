"""Many records of one delivery: stored in one transaction, each settled by itself or all together."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

from django.db import transaction

from config.shared.errors import FieldError, InvalidInput, LedgerError, TooLarge
from config.shared.retries import retried
from config.shared.text import Replaced, clean_text
from history_app.services.drafts import Draft
from history_app.services.ingest import OutcomeKind, batch_write
from history_app.services.ingest.singles import few_write
from history_app.services.records import record_parse

RECORDS_PER_BATCH = 5000
Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Refusal:
    """A record that was not stored: its place in the delivery, its id where it has one, and what is wrong with it."""

    index: int
    record_id: str | None
    errors: list[FieldError]
    is_conflict: bool = False


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Stands in a delivery for a record that did not pass the validator."""

    record_id: str | None
    errors: list[FieldError]


@dataclass(slots=True)
class Intake:
    """What became of a delivery. A duplicate is a record that was stored before with the same content."""

    accepted: int = 0
    duplicates: int = 0
    rejected: list[Refusal] = field(default_factory=list)


class DeliveryRefused(LedgerError):
    """A delivery that was to be stored whole or not at all holds records that cannot be stored; nothing was."""

    def __init__(self, rejected: list[Refusal]) -> None:
        super().__init__("The delivery holds records that cannot be stored.")
        self.rejected = rejected


Batch = Sequence[Draft | Unreadable]


def records_take(
    *,
    project_id: int,
    batches: Callable[[], Iterable[Batch]],
    now: datetime,
    create_sessions: bool = True,
    all_or_none: bool = False,
) -> Intake:
    """Store a delivery of records in one transaction, and say what became of each.

    `batches` starts the delivery from its beginning, also a second time when another writer stood in the way; memory
    holds one batch at a time. A bad record leaves the others alone, unless `all_or_none` asks for DeliveryRefused.
    The rest is as `records_write` has it.
    """

    def take() -> Intake:
        intake, place = Intake(), 0
        with transaction.atomic():
            for batch in batches():
                _settle(intake, batch, place, project_id=project_id, now=now, create_sessions=create_sessions)
                place += len(batch)
            if all_or_none and intake.rejected:
                raise DeliveryRefused(intake.rejected)
        return intake

    return retried(take)


def drafts_take(*, project_id: int, drafts: Sequence[Draft], now: datetime) -> Intake:
    """Store a short delivery that was read whole, as `records_take` does; a few ordinary records take the short way."""
    if few_write(project_id=project_id, drafts=drafts, now=now):
        return Intake(accepted=len(drafts))
    return records_take(project_id=project_id, batches=lambda: [drafts], now=now)


def _settle(intake: Intake, batch: Batch, place: int, *, project_id: int, now: datetime, create_sessions: bool) -> None:
    drafts = [item for item in batch if isinstance(item, Draft)]
    written = batch_write(project_id=project_id, drafts=drafts, now=now, create_sessions=create_sessions)
    outcomes = iter(written.outcomes)
    for index, item in enumerate(batch, place):
        if isinstance(item, Unreadable):
            intake.rejected.append(Refusal(index, item.record_id, item.errors))
            continue
        outcome = next(outcomes)
        if outcome.kind == OutcomeKind.NEW:
            intake.accepted += 1
        elif outcome.kind == OutcomeKind.SAME:
            intake.duplicates += 1
        else:
            errors = [FieldError(outcome.pointer, outcome.reason)]
            conflict = outcome.kind == OutcomeKind.CONFLICT
            intake.rejected.append(Refusal(index, item.record_id, errors, conflict))


def read_record(raw: Any, *, now: datetime, replaced: Replaced) -> Draft | Unreadable:
    """Return the draft of a record that is named as in api.md, or what is wrong with it.

    `replaced` counts what was replaced in records that can be stored, and in no others.
    """
    if not isinstance(raw, Mapping):
        return Unreadable(None, [FieldError("", "A record is a JSON object.")])
    own = Replaced()
    try:
        draft = record_parse(raw, now=now, replaced=own)
    except (InvalidInput, TooLarge) as error:
        return Unreadable(id_of(raw), faults(error))
    replaced.characters += own.characters
    replaced.numbers += own.numbers
    return draft


def faults(error: InvalidInput | TooLarge) -> list[FieldError]:
    """Return what a validator's error says is wrong."""
    return error.errors if isinstance(error, InvalidInput) else [FieldError("", str(error))]


def id_of(raw: Any) -> str | None:
    """Return the id that a record states, where it states one, as far as an answer can show it."""
    stated = raw.get("record_id") if isinstance(raw, Mapping) else None
    return clean_text(stated, Replaced()) if isinstance(stated, str) else None
