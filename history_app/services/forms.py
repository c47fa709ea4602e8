"""Facts in the form in which records come in: what the validator reads when one is reported singly, or changed."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, cast

from django.utils.translation import gettext as _

from config.shared.errors import FieldError, InvalidInput
from config.shared.ids import uuid7
from config.shared.text import Replaced
from history_app.models import ErrorRecord, Fact, LLMCall, Message, Metric, TokenUsage, ToolCall
from history_app.models.cost_notes import note_taken_out, stated_cost
from history_app.models.usage import stands_alone
from history_app.services.drafts import Draft, LLMRequestDraft, LLMResponseDraft
from history_app.services.records import record_parse

RECORD_TYPES: dict[type[Fact], str] = {
    Message: "message",
    ToolCall: "tool_call",
    LLMCall: "llm_request",
    TokenUsage: "token_usage",
    ErrorRecord: "error",
    Metric: "metric",
}
FIELDS: dict[type[Fact], tuple[str, ...]] = {
    Message: ("role",),
    ToolCall: ("tool_name", "tool_input", "tool_output", "status", "error_message", "execution_time"),
    LLMCall: (
        *("request_id", "model", "provider", "messages", "parameters", "response", "token_usage", "response_time"),
        *("responded_at", "response_record_id", "response_metadata"),
    ),
    TokenUsage: (
        *("user_id", "model", "provider", "prompt_tokens", "completion_tokens", "total_tokens"),
        *("cache_read_tokens", "cache_write_tokens", "source"),
    ),
    ErrorRecord: ("error_type", "error_id", "error_message", "stack_trace", "severity"),
    Metric: ("metric_type", "metric_value"),
}
_RESPONSE = ("response", "token_usage", "response_time")
# What claims to have taken longer than a day says nothing about when the answer came.
LONGEST_ANSWER_SECONDS = 86400.0
_AS_CALLED = {
    "/record_id": "/response_record_id",
    "/timestamp": "/responded_at",
    "/metadata": "/response_metadata",
}
_RESPONSE_ONLY = (*_RESPONSE, "responded_at", "response_record_id", "response_metadata")


def fact_form(fact: Any) -> dict[str, Any]:
    """Return a stored fact as api.md names its fields, without those that are empty."""
    form = {name: getattr(fact, name) for name in ("record_id", "timestamp", "metadata", *FIELDS[type(fact)])}
    form["session_id"] = fact.session.session_id
    if isinstance(fact, Message):
        form["content"] = fact.body
    elif isinstance(fact, ToolCall):
        form["task"] = fact.task_id
    elif isinstance(fact, TokenUsage):
        joined = fact.cost_record_id is not None and not stands_alone(fact.source, fact.record_id)
        form["metadata"], note = note_taken_out(fact.metadata) if joined else (fact.metadata, {})
        form["reported_cost"] = stated_cost(note) if joined else fact.reported_cost
    return {name: value for name, value in form.items() if value is not None and value != ""}


def form_drafts(
    model: type[Fact], form: Mapping[str, Any], *, now: datetime, replaced: Replaced | None = None
) -> list[Draft]:
    """Return the drafts of one fact of this model as api.md names its fields: two for an answered LLM call, else one.

    Raises InvalidInput and TooLarge, as the validator does.
    """
    expected = RECORD_TYPES[model]
    if form.get("record_type", expected) != expected:
        raise InvalidInput.at("/record_type", _("Records of this kind are of the type %s.") % expected)
    if model is LLMCall:
        return _llm_drafts(form, now, replaced)
    return [record_parse({**form, "record_type": expected}, now=now, replaced=replaced)]


def _llm_drafts(form: Mapping[str, Any], now: datetime, replaced: Replaced | None) -> list[Draft]:
    record_id = uuid7() if form.get("record_id") is None else form["record_id"]
    asked = {key: value for key, value in form.items() if key not in _RESPONSE_ONLY}
    raw = {**asked, "record_type": "llm_request", "record_id": record_id}
    request = cast("LLMRequestDraft", record_parse(raw, now=now, replaced=replaced))
    if all(form.get(name) is None for name in _RESPONSE_ONLY if name != "response_metadata"):
        return [request]
    raw = {
        "record_type": "llm_response",
        "session_id": request.session_id,
        "request_id": request.request_id,
        "record_id": form.get("response_record_id") or request.record_id,
        "timestamp": form.get("responded_at"),
        "metadata": form.get("response_metadata"),
        **{name: form.get(name) for name in _RESPONSE},
    }
    response = _response_draft(raw, now, replaced)
    if not response.timed and request.timed:
        taken = min(response.response_time or 0, LONGEST_ANSWER_SECONDS)
        response.timestamp, response.timed = request.timestamp + timedelta(seconds=taken), True
    return [request, response]


def _response_draft(raw: Mapping[str, Any], now: datetime, replaced: Replaced | None) -> LLMResponseDraft:
    """Return the draft of a response; faults are named as the fields of the call are."""
    try:
        return cast("LLMResponseDraft", record_parse(raw, now=now, replaced=replaced))
    except InvalidInput as error:
        faults = [FieldError(_AS_CALLED.get(fault.pointer, fault.pointer), fault.detail) for fault in error.errors]
        raise InvalidInput(faults) from error
