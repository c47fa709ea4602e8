"""What the reading of a store yields: its items and findings, with records as the drafts that they become."""

import pickle
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from msgspec import Struct

from backups_app.legacy.times import times_assumed
from backups_app.legacy.types import Finding, LegacyItem, LegacyRecord, Place, StoreBegins
from config.shared.errors import InvalidInput, TooLarge
from history_app.services.drafts import Draft
from history_app.services.records import record_parse

TOKEN_SUMS = ("prompt_tokens", "completion_tokens", "total_tokens")
Tokens = tuple[int | None, int | None, int | None]


class Held:
    """What the records of one batch say, still packed: it is looked at where one of them is not simply stored."""

    def __init__(self, packed: bytes) -> None:
        """`packed` is the pickle of a list of times and fields, made by this package."""
        self._packed = packed
        self._told: list[tuple[datetime, dict[str, Any]]] | None = None

    def __getitem__(self, place: int) -> tuple[datetime, dict[str, Any]]:
        if self._told is None:
            self._told = pickle.loads(self._packed)  # noqa: S301 - our own process wrote it
        return self._told[place]


class ReadRecord(Struct, gc=False):
    """One record of a store with its draft; None where the loader has to find out what is the matter with it.

    `summed` is what it adds to the sums of a report: the tokens of a use of them, or the amount of a cost; `zoneless`
    is how many of its times rest on the zone that was assumed. `record` is what the parser said of it.
    """

    kind: str
    session_id: str
    record_id: str
    place: Place
    repaired: bool
    repeated: bool
    size: int
    draft: Draft | None
    summed: Tokens | Decimal | None
    zoneless: int
    held: Held | Sequence[tuple[datetime, dict[str, Any]]]
    index: int = 0

    @property
    def record(self) -> LegacyRecord:
        """The record as the parser yielded it."""
        timestamp, fields = self.held[self.index]
        return LegacyRecord(
            self.kind, self.session_id, self.record_id, timestamp, fields, self.place, self.repaired, self.repeated,
            self.size,
        )  # fmt: skip


# What a parser yields and reports, and what the loaders take.
Yielded = LegacyItem | Finding | StoreBegins
Entry = ReadRecord | LegacyItem | Finding | StoreBegins


def entry_of(yielded: Yielded, now: datetime) -> Entry:
    """Return what the loaders take: of a record its draft as well."""
    if not isinstance(yielded, LegacyRecord):
        return yielded
    return record_with(yielded, None if yielded.repeated else draft_of(yielded, now))


def record_with(record: LegacyRecord, draft: Draft | None) -> ReadRecord:
    """Return a record that has this draft."""
    return ReadRecord(
        record.kind, record.session_id, record.record_id, record.place, record.repaired, record.repeated, record.size,
        draft, summed_of(record), zoneless_of(record), [(record.timestamp, record.fields)],
    )  # fmt: skip


def draft_of(record: LegacyRecord, now: datetime) -> Draft | None:
    """Return what the validator makes of a record; None where it objects."""
    try:
        return record_parse(raw_record(record), now=now)
    except (InvalidInput, TooLarge):
        return None


def summed_of(record: LegacyRecord) -> Tokens | Decimal | None:
    """Return what the record adds to the sums of a report."""
    if record.kind == "token_usage":
        prompt, completion, total = (record.fields[name] for name in TOKEN_SUMS)
        return prompt, completion, total
    amount: Decimal | None = record.fields["total_cost"] if record.kind == "cost" else None
    return amount


def zoneless_of(record: LegacyRecord) -> int:
    """Return how many times of a record rest on the zone that was assumed; a task has those of its steps as well."""
    number = 0 if record.timestamp.tzinfo is UTC else times_assumed(record.timestamp)
    if record.kind == "task":
        rows = (record.fields, *(record.fields.get("subtasks") or ()))
        number += times_assumed(*(row.get(name) for row in rows for name in ("created_at", "updated_at")))
    return number


def raw_record(record: LegacyRecord) -> dict[str, Any]:
    """The record as it would come to the API."""
    return {
        "record_type": record.kind,
        "session_id": record.session_id,
        "record_id": record.record_id,
        "timestamp": record.timestamp,
        **record.fields,
    }


def size_of(entry: Entry) -> int:
    """How many bytes an entry took in the source, as far as that is known."""
    return len(entry.raw or "") if isinstance(entry, Finding) else getattr(entry, "size", 0)
