"""The one validator of records: the API, the import and a restore all turn what they read into drafts here."""

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import lru_cache, reduce
from operator import or_
from typing import Any, cast

import msgspec
import orjson
from django.utils.translation import gettext as _

from config.shared.errors import InvalidInput
from config.shared.ids import uuid7
from config.shared.text import Replaced
from history_app.services import drafts, incoming
from history_app.services.drafts import Draft
from history_app.services.storable import (
    storable_amount,
    storable_document,
    storable_id,
    storable_number,
    storable_text,
    storable_time,
    text_parts,
)

_FAULT = re.compile(r"(?P<detail>.*?)(?: - at `\$\.?(?P<path>.*)`)?", re.DOTALL)
_MISSING = re.compile(r"Object missing required field `(?P<field>.*)`")


def record_parse(raw: Mapping[str, Any], *, now: datetime, replaced: Replaced | None = None) -> Draft:
    """Return the draft of one record as it came in, named as in document 000 or api.md.

    `raw` holds `record_type`, `session_id` and the type's own fields; keys that the type does not know are kept in
    `metadata`. A missing `record_id` is made, a missing `timestamp` is `now`. What cannot be stored is replaced
    (config.shared.text) and counted in `replaced`. Raises InvalidInput, which names the place by a JSON pointer, and
    TooLarge for a field over MAX_RECORD_BYTES.
    """
    replaced = Replaced() if replaced is None else replaced
    record = _incoming(raw)
    own = _DRAFTING[type(record)](record, replaced)
    metadata = record.metadata if raw.keys() <= _KNOWN[type(record)] else _with_unknown(record, raw)
    return _DRAFTS[type(record)](**_common(record, metadata, now, replaced), **own)


def record_decode(raw: bytes, *, now: datetime, replaced: Replaced) -> Draft | None:
    """Return the draft of one record as JSON text, or None where it takes the careful way to know what is wrong.

    For the many records that are clean and name no unknown key this is twice as fast as `json` and `record_parse`,
    and the same. Raises InvalidInput and TooLarge as `record_parse` does.
    """
    try:
        record = _decoder().decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    return _drafted(record, now, replaced)


def records_decode(raw: bytes, *, now: datetime, replaced: Replaced) -> list[Draft] | None:
    """Return the drafts of a JSON list of records, or None where one of them takes the careful way."""
    try:
        records = _list_decoder().decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    return [_drafted(record, now, replaced) for record in records]


def _drafted(record: incoming.Incoming, now: datetime, replaced: Replaced) -> Draft:
    kind = _LOOSE[type(record)]
    own = _DRAFTING[kind](record, replaced)
    return _DRAFTS[kind](**_common(record, record.metadata, now, replaced), **own)


def message_decode(raw: bytes, *, session_id: str, now: datetime, replaced: Replaced) -> Draft | None:
    """Return the draft of one message of a session as JSON text, or None as `record_decode` does."""
    inner = raw.strip()
    if not inner.startswith(b"{"):
        return None
    stated = b'{"record_type":"message","session_id":%b,' % orjson.dumps(session_id)
    draft = record_decode(stated + inner[1:], now=now, replaced=replaced)
    # The body may name the session as well, but no other one; and what answers have besides is for others to judge.
    ordinary = isinstance(draft, drafts.MessageDraft) and draft.session_id == session_id and draft.sequence is None
    return draft if ordinary else None


@lru_cache(maxsize=1)
def _decoder() -> "msgspec.json.Decoder[incoming.Incoming]":
    return msgspec.json.Decoder(reduce(or_, _LOOSE))


@lru_cache(maxsize=1)
def _list_decoder() -> "msgspec.json.Decoder[list[incoming.Incoming]]":
    return msgspec.json.Decoder(list[reduce(or_, _LOOSE)])  # type: ignore[misc]


def _strict(kind: type[incoming.Incoming]) -> type[incoming.Incoming]:
    """Return the kind as one that takes no unknown keys."""
    tag = kind.__struct_config__.tag
    made = msgspec.defstruct(
        f"Strict{kind.__name__}", (), bases=(kind,), kw_only=True, tag=tag, forbid_unknown_fields=True
    )
    return cast("type[incoming.Incoming]", made)


def _incoming(raw: Mapping[str, Any]) -> incoming.Incoming:
    # Chosen here and not by msgspec's union, which is taken apart anew at every call: that is four times as slow.
    record_type = raw.get("record_type")
    kind = _KINDS.get(record_type) if isinstance(record_type, str) else None
    if kind is None:
        raise InvalidInput.at("/record_type", _("One of %s is required.") % ", ".join(RECORD_TYPES))
    try:
        return msgspec.convert(raw, kind)
    except msgspec.ValidationError as error:
        raise _explained(str(error)) from error


def _explained(message: str) -> InvalidInput:
    """Turn msgspec's message, such as "Expected `int`, got `str` - at `$.source`", into a pointer and a detail."""
    fault = _FAULT.fullmatch(message)
    detail, path = (fault["detail"], fault["path"] or "") if fault else (message, "")
    missing = _MISSING.fullmatch(detail)
    if missing and not path:
        return InvalidInput.at(f"/{missing['field']}", _("This field is required."))
    # Within a list msgspec does not say at which place; the list is named, and the detail says what it found.
    outer, inside, _rest = path.partition("[")
    return InvalidInput.at(f"/{outer}" if path else "", f"{detail} ({path})" if inside else detail)


def _common(
    record: incoming.Incoming, metadata: dict[str, Any] | None, now: datetime, replaced: Replaced
) -> dict[str, Any]:
    timestamp = record.timestamp
    return {
        "session_id": storable_id(record.session_id, "/session_id"),
        "record_id": uuid7() if record.record_id is None else storable_id(record.record_id, "/record_id"),
        "timestamp": now if timestamp is None else storable_time(timestamp, "/timestamp"),
        "timed": timestamp is not None,
        "metadata": storable_document(metadata, "/metadata", replaced) if metadata else None,
    }


def _with_unknown(record: incoming.Incoming, raw: Mapping[str, Any]) -> dict[str, Any]:
    """Return the metadata with the unknown keys in it; a key that the metadata has already is set off by `record.`."""
    metadata = dict(record.metadata or {})
    for key in raw.keys() - _KNOWN[type(record)]:
        metadata[f"record.{key}" if key in metadata else str(key)] = raw[key]
    return metadata


def _message(record: incoming.Message, replaced: Replaced) -> dict[str, Any]:
    role, content, structured = record.role or record.message_type, record.content, None
    if role is None:
        raise InvalidInput.at("/role", _("This field is required."))
    if content is not None and not isinstance(content, str):
        structured = storable_document(content, "/content", replaced)
        content = text_parts(content)
    text = None if content is None else storable_text(content, "/content", replaced)
    return {"role": role, "content": text, "structured_content": structured, "sequence": record.sequence}


def _tool_call(record: incoming.ToolCall, replaced: Replaced) -> dict[str, Any]:
    reported = {True: "success", False: "error", None: "pending"}[record.success]
    return {
        "tool_name": storable_text(record.tool_name, "/tool_name", replaced),
        "task": record.task,
        "tool_input": storable_document(record.tool_input, "/tool_input", replaced),
        "tool_output": storable_document(record.tool_output, "/tool_output", replaced),
        "status": record.status or reported,
        "error_message": storable_text(record.error_message or "", "/error_message", replaced),
        "execution_time": _seconds(record.execution_time, "/execution_time", replaced),
    }


def _seconds(value: float | None, pointer: str, replaced: Replaced) -> float | None:
    if value is not None and value < 0:
        raise InvalidInput.at(pointer, _("A duration is not negative."))
    return storable_number(value, replaced)


def _model_names(record: Any, replaced: Replaced) -> dict[str, str]:
    return {
        "model": storable_text(record.model or "", "/model", replaced),
        "provider": storable_text(record.provider or "", "/provider", replaced),
    }


def _request_id(record: incoming.LLMRequest | incoming.LLMResponse) -> str:
    joining = record.request_id or record.record_id
    if joining is None:
        raise InvalidInput.at("/request_id", _("Either request_id or record_id is required."))
    return storable_id(joining, "/request_id")


def _llm_request(record: incoming.LLMRequest, replaced: Replaced) -> dict[str, Any]:
    return {
        "request_id": _request_id(record),
        **_model_names(record, replaced),
        "messages": storable_document(record.messages or None, "/messages", replaced),
        "parameters": storable_document(record.parameters or None, "/parameters", replaced),
    }


def _llm_response(record: incoming.LLMResponse, replaced: Replaced) -> dict[str, Any]:
    return {
        "request_id": _request_id(record),
        **_model_names(record, replaced),
        "response": storable_document(record.response, "/response", replaced),
        "token_usage": storable_document(record.token_usage, "/token_usage", replaced),
        "response_time": _seconds(record.response_time, "/response_time", replaced),
    }


def _measured(record: incoming.Measured, replaced: Replaced) -> dict[str, Any]:
    prompt, completion, total = record.prompt_tokens, record.completion_tokens, record.total_tokens
    if total is None and prompt is not None and completion is not None:
        total = prompt + completion
    return {
        "user_id": storable_id(record.user_id or "", "/user_id"),
        **_model_names(record, replaced),
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": total,
    }


def _token_usage(record: incoming.TokenUsage, replaced: Replaced) -> dict[str, Any]:
    field = "cost" if record.reported_cost is None and record.cost is not None else "reported_cost"
    return {
        **_measured(record, replaced),
        "cache_read_tokens": record.cache_read_tokens,
        "cache_write_tokens": record.cache_write_tokens,
        "source": storable_text(record.source or "", "/source", replaced),
        "reported_cost": storable_amount(getattr(record, field), f"/{field}", replaced),
    }


def _cost(record: incoming.Cost, replaced: Replaced) -> dict[str, Any]:
    stated = [name for name in ("total_cost", "cost", "cost_usd") if getattr(record, name) is not None]
    field = stated[0] if stated else "total_cost"
    amount = storable_amount(getattr(record, field), f"/{field}", replaced)
    return {**_measured(record, replaced), "total_cost": amount}


def _error(record: incoming.Error, replaced: Replaced) -> dict[str, Any]:
    return {
        "error_type": storable_text(record.error_type, "/error_type", replaced),
        "error_id": storable_id(record.error_id or "", "/error_id"),
        "error_message": storable_text(record.error_message or "", "/error_message", replaced),
        "stack_trace": storable_text(record.stack_trace or "", "/stack_trace", replaced),
        "severity": record.severity or "error",
    }


def _metric(record: incoming.Metric, replaced: Replaced) -> dict[str, Any]:
    value = storable_number(record.metric_value, replaced)
    if value is None:
        raise InvalidInput.at("/metric_value", _("The value must be a finite number."))
    return {"metric_type": storable_text(record.metric_type, "/metric_type", replaced), "metric_value": value}


def _task(record: incoming.Task, replaced: Replaced) -> dict[str, Any]:
    steps = [_step(step, place, replaced) for place, step in enumerate(record.subtasks or ())]
    if len({step.subtask_index for step in steps}) < len(steps):
        raise InvalidInput.at("/subtasks", _("Two subtasks have the same index."))
    return {
        "user_input": storable_text(record.user_input, "/user_input", replaced),
        "status": record.status or "pending",
        "results": storable_document(record.results, "/results", replaced),
        "updated_at": _moment(record.updated_at, "/updated_at"),
        "subtasks": steps,
    }


def _step(step: incoming.Step, place: int, replaced: Replaced) -> drafts.StepDraft:
    at = f"/subtasks/{place}/"
    texts = ("description", "expected_output", "actual_output")
    documents = ("context", "validation_report")
    times = ("created_at", "updated_at")
    values: dict[str, Any] = {
        **{name: storable_text(getattr(step, name) or "", at + name, replaced) for name in texts},
        **{name: storable_document(getattr(step, name) or None, at + name, replaced) for name in documents},
        **{name: _moment(getattr(step, name), at + name) for name in times},
    }
    index = place if step.subtask_index is None else step.subtask_index
    return drafts.StepDraft(subtask_index=index, status=step.status or "pending", **values)


def _moment(value: datetime | None, pointer: str) -> datetime | None:
    return None if value is None else storable_time(value, pointer)


_DRAFTING: dict[type[incoming.Incoming], Callable[[Any, Replaced], dict[str, Any]]] = {
    incoming.Message: _message,
    incoming.ToolCall: _tool_call,
    incoming.LLMRequest: _llm_request,
    incoming.LLMResponse: _llm_response,
    incoming.TokenUsage: _token_usage,
    incoming.Cost: _cost,
    incoming.Error: _error,
    incoming.Metric: _metric,
    incoming.Task: _task,
}
_DRAFTS: dict[type[incoming.Incoming], type[Draft]] = {
    incoming.Message: drafts.MessageDraft,
    incoming.ToolCall: drafts.ToolCallDraft,
    incoming.LLMRequest: drafts.LLMRequestDraft,
    incoming.LLMResponse: drafts.LLMResponseDraft,
    incoming.TokenUsage: drafts.TokenUsageDraft,
    incoming.Cost: drafts.CostDraft,
    incoming.Error: drafts.ErrorDraft,
    incoming.Metric: drafts.MetricDraft,
    incoming.Task: drafts.TaskDraft,
}
_KINDS = {kind.__struct_config__.tag: kind for kind in _DRAFTING}
RECORD_TYPES = tuple(map(str, _KINDS))
_KNOWN = {kind: frozenset(kind.__struct_fields__) | {"record_type"} for kind in _DRAFTING}
_LOOSE = {_strict(kind): kind for kind in _DRAFTING}
