"""LLM requests and responses: two records, one row, joined by `request_id` in whichever order they come."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import IntegrityError, transaction

from history_app.models import LLMCall
from history_app.services.drafts import Draft, LLMRequestDraft, LLMResponseDraft
from history_app.services.ingest import statements
from history_app.services.ingest.arrivals import arrivals_note
from history_app.services.ingest.batch import Batch, Entry
from history_app.services.ingest.columns import Row, rows_read
from history_app.services.ingest.same import same_draft

COLUMNS = (
    "project_id", "session_id", "record_id", "timestamp", "metadata", "request_id", "model", "provider", "messages",
    "parameters", "response_record_id", "responded_at", "response_metadata", "response", "token_usage",
    "response_time",
)  # fmt: skip
_SESSION = ("session_id", statements.INTEGER)
# Where a call of the batch may be stored already: under its request id, or under either record's id.
KEYS = ("request_id", "record_id", "response_record_id")


@dataclass(slots=True, eq=False)
class Call:
    """One call as far as it is known. `pk` is that of its row, `changed` says that the row must be written."""

    session: int
    request_id: str
    request: LLMRequestDraft | None = None
    response: LLMResponseDraft | None = None
    pk: int | None = None
    changed: bool = False

    def part(self, kind: type[Draft]) -> Draft | None:
        """Return the request or the response, by the type of its draft."""
        return self.request if kind is LLMRequestDraft else self.response

    def take(self, draft: Draft) -> None:
        """Make the draft the call's request or response."""
        if isinstance(draft, LLMRequestDraft):
            self.request = draft
        elif isinstance(draft, LLMResponseDraft):
            self.response = draft
        self.changed = True


class Calls:
    """The calls of a batch, found by session and request id, or by the id of either record."""

    def __init__(self, stored: Iterable[Call] = ()) -> None:
        self.all: list[Call] = []
        self.by_request: dict[tuple[int, str], Call] = {}
        self.by_record: dict[tuple[int, str], Call] = {}
        for call in stored:
            self.all.append(call)
            self.by_request[call.session, call.request_id] = call
            for draft in (call.request, call.response):
                if draft is not None:
                    self.by_record[call.session, draft.record_id] = call

    def join(self, entry: Entry) -> bool | None:
        """Join the entry to its call. Return None when it is new there, else whether it says the same as before."""
        draft = entry.draft
        place = (entry.session.pk, draft.request_id)  # type: ignore[attr-defined]
        call = self.by_request.get(place)
        owner = self.by_record.get(entry.key)
        if owner is not None and owner is not call:
            return False
        if call is None:
            call = self.by_request[place] = Call(*place)
            self.all.append(call)
        earlier = call.part(type(draft))
        if earlier is not None:
            return earlier.record_id == draft.record_id and same_draft(draft, earlier)
        call.take(draft)
        self.by_record[entry.key] = call
        return None


def llm_calls_write(requests: Sequence[Entry], responses: Sequence[Entry], batch: Batch) -> None:
    """Store requests and responses and settle each; their sessions are locked.

    As with other records all are taken for new at first, and looked up when the unique index objects.
    """
    entries = [*requests, *responses]
    if not entries:
        return
    try:
        with transaction.atomic():
            _write(entries, Calls(), batch)
    except IntegrityError:
        _write(entries, Calls(_stored(entries)), batch)


def _write(entries: Sequence[Entry], calls: Calls, batch: Batch) -> None:
    verdicts = [(entry, calls.join(entry)) for entry in entries]
    changed = [call for call in calls.all if call.changed]
    added = [row_of(call, batch.project_id) for call in changed if call.pk is None]
    statements.insert_rows(LLMCall, COLUMNS, added)
    updated = [(call.pk, *row_of(call, batch.project_id)) for call in changed if call.pk is not None]
    statements.update_rows(LLMCall, COLUMNS, updated)
    arrivals_note(_late_ones(verdicts, calls))
    batch.stored(entry for entry, same in verdicts if same is None)
    for entry, same in verdicts:
        if same is not None:
            batch.repeated(entry, same)


def _late_ones(verdicts: Iterable[tuple[Entry, bool | None]], calls: Calls) -> list[Entry]:
    """Return the new entries that joined a call whose row was there before."""
    return [entry for entry, same in verdicts if same is None and calls.by_record[entry.key].pk is not None]


def _stored(entries: Sequence[Entry]) -> list[Call]:
    """Return the stored calls that any of the entries could belong to."""
    columns = ("id", *COLUMNS)
    found: dict[int, Call] = {}
    for key in KEYS:
        values = [
            (entry.session.pk, entry.draft.request_id if key == "request_id" else entry.draft.record_id)  # type: ignore[attr-defined]
            for entry in entries
        ]
        rows = statements.select_matching(LLMCall, columns, (_SESSION, (key, statements.TEXT)), values)
        for row in rows_read(LLMCall, columns, rows):
            found.setdefault(row["id"], call_of(row))
    return list(found.values())


def row_of(call: Call, project_id: int) -> Row:
    """Return the call's row. The request's id, time and names come first; the response's stand in until it is there."""
    request, response = call.request, call.response
    leading: Any = request or response
    return (
        project_id,
        call.session,
        leading.record_id,
        leading.timestamp,
        request.metadata if request else None,
        call.request_id,
        leading.model or (response.model if response else ""),
        leading.provider or (response.provider if response else ""),
        request.messages if request else None,
        request.parameters if request else None,
        response.record_id if response else None,
        response.timestamp if response else None,
        _response_metadata(request, response),
        response.response if response else None,
        response.token_usage if response else None,
        response.response_time if response else None,
    )


def _response_metadata(request: LLMRequestDraft | None, response: LLMResponseDraft | None) -> str | None:
    """Return the response's metadata, with the model and provider in it where they are others than the request's."""
    if request is None or response is None:
        return response.metadata if response else None
    other = {
        f"response.{name}": own
        for name in ("model", "provider")
        if (own := getattr(response, name)) and (asked := getattr(request, name)) and own != asked
    }
    if not other:
        return response.metadata
    return json.dumps({**json.loads(response.metadata or "{}"), **other}, ensure_ascii=False, separators=(",", ":"))


def call_of(row: dict[str, Any]) -> Call:
    """Return the call that a row stands for: `row_of` the other way round."""
    call = Call(row["session_id"], row["request_id"], pk=row["id"])
    shared = {name: row[name] for name in ("request_id", "model", "provider")}
    answered = row["response_record_id"] is not None
    if not _response_alone(row):
        own = {name: row[name] for name in ("record_id", "timestamp", "metadata", "messages", "parameters")}
        call.request = LLMRequestDraft(session_id="", **shared, **own)
    if answered:
        metadata, other = _without_names(row["response_metadata"])
        call.response = LLMResponseDraft(
            session_id="",
            record_id=row["response_record_id"],
            timestamp=row["responded_at"],
            metadata=metadata,
            **{**shared, **other},
            **{name: row[name] for name in ("response", "token_usage", "response_time")},
        )
    return call


def _response_alone(row: dict[str, Any]) -> bool:
    """Return whether the request has not come yet: then the response's id and time stand in for the request's."""
    stands_in = row["record_id"] == row["response_record_id"] and row["timestamp"] == row["responded_at"]
    return stands_in and row["metadata"] is row["messages"] is row["parameters"] is None


def _without_names(metadata: str | None) -> tuple[str | None, dict[str, str]]:
    """Return response metadata without the names that `_response_metadata` put in, and these names."""
    if metadata is None or '"response.' not in metadata:
        return metadata, {}
    document = json.loads(metadata)
    other = {name: document.pop(f"response.{name}") for name in ("model", "provider") if f"response.{name}" in document}
    text = json.dumps(document, ensure_ascii=False, separators=(",", ":")) if document else None
    return text, other
