"""How entries go from the process that reads a store to the one that stores it: packed in batches.

Records, which are nearly all, go as columns and typed drafts, which costs a third of pickling them; what else there is
is pickled. Both ends are the same program.
"""

import pickle
import struct
from collections.abc import Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec
from msgspec import Struct, field

from backups_app.legacy.types import LegacyRecord, Place
from backups_app.services.legacy_reading.entries import (
    Entry,
    Held,
    ReadRecord,
    Tokens,
    Yielded,
    draft_of,
    record_with,
    summed_of,
    zoneless_of,
)
from history_app.services import drafts
from history_app.services.drafts import Draft

PICKLE_PROTOCOL = 5
# Before every batch in a pipe stands how long it is.
LENGTH = struct.Struct("<Q")


class Drafts(Struct, array_like=True):
    """The drafts of a batch by the kind of their records, each in the order of the batch."""

    message: list[drafts.MessageDraft] = field(default_factory=list)
    tool_call: list[drafts.ToolCallDraft] = field(default_factory=list)
    llm_request: list[drafts.LLMRequestDraft] = field(default_factory=list)
    llm_response: list[drafts.LLMResponseDraft] = field(default_factory=list)
    token_usage: list[drafts.TokenUsageDraft] = field(default_factory=list)
    cost: list[drafts.CostDraft] = field(default_factory=list)
    error: list[drafts.ErrorDraft] = field(default_factory=list)
    metric: list[drafts.MetricDraft] = field(default_factory=list)
    task: list[drafts.TaskDraft] = field(default_factory=list)


KINDS = Drafts.__struct_fields__


class Records(Struct, array_like=True):
    """The records of a batch that have a draft, as columns. `path` is the number of one of `paths`."""

    paths: list[str] = field(default_factory=list)
    kind: list[int] = field(default_factory=list)
    path: list[int] = field(default_factory=list)
    line: list[int | None] = field(default_factory=list)
    table: list[str | None] = field(default_factory=list)
    key: list[str | None] = field(default_factory=list)
    repaired: list[bool] = field(default_factory=list)
    size: list[int] = field(default_factory=list)
    zoneless: list[int] = field(default_factory=list)
    drafts: Drafts = field(default_factory=Drafts)
    tokens: list[Tokens] = field(default_factory=list)
    amounts: list[Decimal | None] = field(default_factory=list)


class Packed(Struct, array_like=True):
    """One batch. `others` are the pickled entries besides, each with its place; `read` of `total` bytes are behind it.

    `held` is what Held unpacks, `fault` why the reading ended, where it did so before its time, and `trace` where.
    """

    read: int
    total: int
    records: Records
    others: bytes
    held: bytes
    is_last: bool = False
    fault: str = ""
    trace: str = ""


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Packed)


def packed(batch: Sequence[Yielded], *, now: datetime, read: int, total: int) -> bytes:
    """Return a batch as bytes; records are turned into drafts on the way."""
    made = [_drafted(entry, now) for entry in batch]
    try:
        return _encoder.encode(_packed(batch, made, read, total))
    except UnicodeEncodeError:
        # A lone surrogate in a place: rare enough to take the way of all that is no record.
        return _encoder.encode(_packed(batch, [None] * len(batch), read, total))


def end_packed(*, read: int, total: int, fault: str = "", trace: str = "") -> bytes:
    """Return the last batch, which is empty: all was read, or why not."""
    return _encoder.encode(Packed(read, total, Records(), b"", b"", is_last=True, fault=fault, trace=trace))


def unpacked(data: bytes | memoryview) -> Packed:
    """Return a batch that was packed; `entries_of` has its entries."""
    return _decoder.decode(data)


def _drafted(entry: Yielded, now: datetime) -> Draft | None:
    return draft_of(entry, now) if isinstance(entry, LegacyRecord) and not entry.repeated else None


def _packed(batch: Sequence[Yielded], made: Sequence[Draft | None], read: int, total: int) -> Packed:
    records, others, held = Records(), [], []
    paths: dict[str, int] = {}
    by_kind: list[list[Any]] = [getattr(records.drafts, kind) for kind in KINDS]
    for number, (entry, draft) in enumerate(zip(batch, made, strict=True)):
        if draft is None:
            others.append((number, entry))
            continue
        assert isinstance(entry, LegacyRecord)  # noqa: S101
        kind, place = _NUMBERS[entry.kind], entry.place
        records.kind.append(kind)
        records.path.append(paths.setdefault(place.path, len(paths)))
        records.line.append(place.line)
        records.table.append(place.table)
        records.key.append(place.key)
        records.repaired.append(entry.repaired)
        records.size.append(entry.size)
        records.zoneless.append(zoneless_of(entry))
        by_kind[kind].append(draft)
        held.append((entry.timestamp, entry.fields))
        _take_sums(records, entry)
    records.paths = list(paths)
    return Packed(read, total, records, _pickled(others), _pickled(held))


def _take_sums(records: Records, entry: LegacyRecord) -> None:
    if entry.kind == "token_usage":
        records.tokens.append(summed_of(entry))  # type: ignore[arg-type]
    elif entry.kind == "cost":
        records.amounts.append(summed_of(entry))  # type: ignore[arg-type]


def _pickled(values: list[Any]) -> bytes:
    return pickle.dumps(values, PICKLE_PROTOCOL) if values else b""


def entries_of(batch: Packed) -> list[Entry]:
    """Return the entries of a batch in their order."""
    entries: list[Entry] = list(_records_of(batch))
    if batch.others:
        for number, entry in pickle.loads(batch.others):  # noqa: S301 - our own process wrote it
            entries.insert(number, record_with(entry, None) if isinstance(entry, LegacyRecord) else entry)
    return entries


def _records_of(batch: Packed) -> Iterator[ReadRecord]:
    records, held = batch.records, Held(batch.held)
    by_kind: list[Iterator[Any]] = [iter(getattr(records.drafts, kind)) for kind in KINDS]
    tokens, amounts = iter(records.tokens), iter(records.amounts)
    places = zip(records.path, records.line, records.table, records.key, strict=True)
    columns = zip(records.kind, places, records.repaired, records.size, records.zoneless, strict=True)
    for index, (kind, (path, line, table, key), repaired, size, zoneless) in enumerate(columns):
        draft: Draft = next(by_kind[kind])
        summed = next(tokens) if kind == _TOKENS else next(amounts) if kind == _COST else None
        yield ReadRecord(
            KINDS[kind], draft.session_id, draft.record_id, Place(records.paths[path], line, table, key),
            repaired, False, size, draft, summed, zoneless, held, index,
        )  # fmt: skip


_NUMBERS = {kind: number for number, kind in enumerate(KINDS)}
_TOKENS, _COST = _NUMBERS["token_usage"], _NUMBERS["cost"]
