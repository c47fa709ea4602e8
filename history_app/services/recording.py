"""Recording one fact, or one session's messages: each a single call of the bulk writer, usable from Python too."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _

from config.shared.errors import Conflict, FieldError, InvalidInput
from config.shared.text import Replaced
from history_app.models import ErrorRecord, Fact, LLMCall, Message, Metric, TokenUsage, ToolCall
from history_app.services.drafts import Draft
from history_app.services.forms import form_drafts
from history_app.services.ingest import BatchRefused, OutcomeKind, WriteResult, records_write

Fields = Mapping[str, Any]


def message_append(
    *, project_id: int, fields: Fields, now: datetime, replaced: Replaced | None = None
) -> tuple[Message, bool]:
    """Append one message to its session and return it, and whether it is new. See `fact_record`."""
    return fact_record(model=Message, project_id=project_id, fields=fields, now=now, replaced=replaced)


def tool_call_save(
    *, project_id: int, fields: Fields, now: datetime, replaced: Replaced | None = None
) -> tuple[ToolCall, bool]:
    """Store one tool call and return it, and whether it is new. See `fact_record`."""
    return fact_record(model=ToolCall, project_id=project_id, fields=fields, now=now, replaced=replaced)


def llm_call_save(
    *, project_id: int, fields: Fields, now: datetime, replaced: Replaced | None = None
) -> tuple[LLMCall, bool]:
    """Store one LLM call, with its response where there is one, and return it. See `fact_record`."""
    return fact_record(model=LLMCall, project_id=project_id, fields=fields, now=now, replaced=replaced)


def token_usage_save(
    *, project_id: int, fields: Fields, now: datetime, replaced: Replaced | None = None
) -> tuple[TokenUsage, bool]:
    """Store one use of tokens and return it, and whether it is new. See `fact_record`."""
    return fact_record(model=TokenUsage, project_id=project_id, fields=fields, now=now, replaced=replaced)


def error_save(
    *, project_id: int, fields: Fields, now: datetime, replaced: Replaced | None = None
) -> tuple[ErrorRecord, bool]:
    """Store one error and return it, and whether it is new. See `fact_record`."""
    return fact_record(model=ErrorRecord, project_id=project_id, fields=fields, now=now, replaced=replaced)


def metric_save(
    *, project_id: int, fields: Fields, now: datetime, replaced: Replaced | None = None
) -> tuple[Metric, bool]:
    """Store one metric and return it, and whether it is new. See `fact_record`."""
    return fact_record(model=Metric, project_id=project_id, fields=fields, now=now, replaced=replaced)


def fact_record(
    *, model: type[Fact], project_id: int, fields: Fields, now: datetime, replaced: Replaced | None = None
) -> tuple[Any, bool]:
    """Store one fact whose `fields` are named as in api.md, and return it, and whether it is new.

    The session must be there. The same record again is not stored twice: the stored one comes back. Raises
    InvalidInput and TooLarge as the validator does, and Conflict when another record is stored under the id.
    """
    drafts = form_drafts(model, fields, now=now, replaced=replaced)
    result = _written(project_id, drafts, now, pointers=[""] * len(drafts))
    fact = _rows(model, drafts[:1], result)[0]
    return fact, result.count(OutcomeKind.NEW) > 0


def messages_append(
    *,
    project_id: int,
    session_id: str,
    messages: Sequence[Fields],
    now: datetime,
    replaced: Replaced | None = None,
) -> list[Message]:
    """Append messages to one session in their order, all or none, and return them.

    Raises as `fact_record` does; the pointers begin with the message's place in the list.
    """
    drafts: list[Draft] = []
    errors: list[FieldError] = []
    for place, fields in enumerate(messages):
        try:
            if not isinstance(fields, Mapping):
                raise InvalidInput.at("", _("A message is a JSON object."))
            stated = {**fields, "session_id": session_id}
            drafts += form_drafts(Message, stated, now=now, replaced=replaced)
        except InvalidInput as error:
            errors += [FieldError(f"/{place}{fault.pointer}", fault.detail) for fault in error.errors]
    if errors:
        raise InvalidInput(errors)
    result = _written(project_id, drafts, now, pointers=[f"/{place}" for place in range(len(drafts))])
    return _rows(Message, drafts, result)


def _written(project_id: int, drafts: Sequence[Draft], now: datetime, pointers: Sequence[str]) -> WriteResult:
    """Write drafts of existing sessions, all or none."""
    try:
        return records_write(project_id=project_id, drafts=drafts, now=now, create_sessions=False, all_or_none=True)
    except BatchRefused as refused:
        places = list(zip(pointers, refused.outcomes, strict=True))
        rejected = [
            FieldError(pointer + outcome.pointer, outcome.reason)
            for pointer, outcome in places
            if outcome.kind == OutcomeKind.REJECTED
        ]
        if rejected:
            raise InvalidInput(rejected) from refused
        where = ", ".join(pointer for pointer, outcome in places if pointer and outcome.kind == OutcomeKind.CONFLICT)
        detail = _("Another record is stored under this record_id.")
        raise Conflict(f"{where}: {detail}" if where else detail) from refused


def _rows(model: type[Fact], drafts: Sequence[Draft], result: WriteResult) -> list[Any]:
    """Return the stored rows of drafts of one session, in the drafts' order."""
    if not drafts:
        return []
    rows = model.objects.filter(session_id=result.session_pks[drafts[0].session_id]).select_related("session")
    found = {row.record_id: row for row in rows.filter(record_id__in=[draft.record_id for draft in drafts])}
    return [found[draft.record_id] for draft in drafts]
