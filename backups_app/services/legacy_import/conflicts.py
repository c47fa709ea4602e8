"""What becomes of an item whose id is stored with another content: it is kept, replaced, or both are there."""

import hashlib
import json
from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from msgspec.structs import replace

from backups_app.legacy.types import Finding, LegacyRecord, Level
from backups_app.services.legacy_import.items import ImportContext, told
from backups_app.services.legacy_reading.entries import ReadRecord
from config.shared.errors import LedgerError, NotFound
from history_app.models import ErrorRecord, LLMCall, Message, Metric, Task, ToolCall
from history_app.services.drafts import CostDraft, Draft, LLMRequestDraft, LLMResponseDraft, TaskDraft, TokenUsageDraft
from history_app.services.edits import fact_update
from history_app.services.forms import fact_form
from history_app.services.replacing import task_replace, use_replace
from sessions_app.models import Session

LONGEST_ID = 255
DIGITS = 12
# The table of each kind, the column that has the record's id, and whether the record is the whole row.
_PLACES: dict[str, tuple[Any, str, bool]] = {
    "message": (Message, "record_id", True),
    "tool_call": (ToolCall, "record_id", True),
    "error": (ErrorRecord, "record_id", True),
    "metric": (Metric, "record_id", True),
    "task": (Task, "record_id", True),
    "llm_request": (LLMCall, "record_id", False),
    "llm_response": (LLMCall, "response_record_id", False),
}


class OnConflict(StrEnum):
    """The choices of `--on-conflict`."""

    KEEP = "keep"
    REPLACE = "replace"
    BOTH = "both"


def beside_id(name: str, content: Any) -> str:
    """The id under which another content of `name` is kept beside the stored one: the same for the same content."""
    text = json.dumps(content, sort_keys=True, default=str, ensure_ascii=False)
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:DIGITS]
    return f"{name[: LONGEST_ID - DIGITS - 1]}~{digest}"


def replaced_finding(kind: str, item: Any, name: str, before: Mapping[str, Any]) -> Finding:
    """The finding that keeps what stood there before."""
    detail = f"{kind} {name!r:.300} was stored with another content, which is replaced and stands here"
    return Finding(Level.CONFLICT, "replaced", item.place, detail, kind, told(before))


def _changes(record: LegacyRecord) -> dict[str, Any]:
    """The record as its row names its fields: an answer is a part of its call's row, with names of its own."""
    if record.kind != "llm_response":
        return {"timestamp": record.timestamp, **record.fields}
    told = {name: record.fields.get(name) for name in ("response", "token_usage", "response_time")}
    return {**told, "responded_at": record.timestamp, "response_metadata": record.fields["metadata"]}


def kept_beside_finding(kind: str, item: Any, name: str) -> Finding:
    """The finding that says under which id the other content was stored."""
    detail = f"{kind}: its id is stored with another content; this one is stored beside it as {name!r:.300}"
    return Finding(Level.CONFLICT, "kept_beside", item.place, detail, kind)


def record_beside(record: ReadRecord, draft: Draft) -> tuple[ReadRecord, Draft]:
    """The record and its draft under the id under which it is kept beside the stored one."""
    fields = record.record.fields
    name = beside_id(record.record_id, fields)
    changes = {"record_id": name}
    if isinstance(draft, LLMRequestDraft | LLMResponseDraft):
        changes["request_id"] = beside_id(draft.request_id, fields)
    return replace(record, record_id=name), replace(draft, **changes)


def record_replace(record: LegacyRecord, draft: Draft, context: ImportContext) -> tuple[int | None, str]:
    """Put the record's content in place of the stored one, audited; return its session's key, or None and why not."""
    name = context.renamed.get(record.session_id, record.session_id)
    session = Session.objects.get(project=context.project_id, session_id=name)
    try:
        before = _replaced(session, record, draft, context)
    except NotFound:
        return None, "the stored one has another id"
    except LedgerError as error:
        return None, str(error)
    context.log.add_note(replaced_finding(record.kind, record, record.record_id, before))
    return session.pk, ""


def _replaced(session: Session, record: LegacyRecord, draft: Draft, context: ImportContext) -> dict[str, Any]:
    """Replace the stored one, and return what it said. Raises NotFound, InvalidInput."""
    given: dict[str, Any] = {"caller": context.caller, "now": context.now}
    if isinstance(draft, TokenUsageDraft | CostDraft):
        return use_replace(session=session, draft=draft, **given)
    model, column, is_whole = _PLACES[record.kind]
    row = model.objects.filter(session=session, **{column: record.record_id}).select_related("session").first()
    if row is None:
        raise NotFound
    if isinstance(draft, TaskDraft):
        return task_replace(task=row, draft=draft, **given)
    before = fact_form(row)
    fact_update(fact=row, changes=_changes(record), replace=is_whole, **given)
    return before
