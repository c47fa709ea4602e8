"""Rows as records: named as in document 000 and api.md, so that what is read here can be recorded again as it is."""

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from orjson import Fragment

from config.shared.fields import amount_text
from history_app.models.cost_notes import json_of, note_split
from history_app.models.usage import stands_alone
from history_app.selectors.record_rows import Row

Record = dict[str, Any]
_TOKENS = ("prompt_tokens", "completion_tokens", "total_tokens")
_NAMES_OF_MODEL = ("model", "provider")
# What roles that see contents masked do not see (as in the lists of each kind).
CONTENTS: dict[str, tuple[str, ...]] = {
    "message": ("content",),
    "tool_call": ("tool_input", "tool_output", "error_message"),
    "llm_request": ("messages", "parameters"),
    "llm_response": ("response",),
    "error": ("error_message", "stack_trace"),
    "task": ("user_input", "results"),
}
STEP_CONTENTS = ("description", "expected_output", "actual_output", "context", "validation_report")
# What is worked out here, and no part of what was recorded.
COMPUTED = frozenset({"computed_cost"})


def record_of(record_type: str, row: Row, session_id: str) -> Record:
    """Return the record of this type that the row holds.

    Documents are orjson fragments of their stored text, or None; times are in UTC; amounts are text. The record says
    `truncated` where the row does.
    """
    record = {"record_type": record_type, "session_id": session_id, **_FORMS[record_type](row)}
    return {**record, "truncated": True} if "truncated" in row else record


def _document(text: str | None) -> Fragment | None:
    return None if text is None else Fragment(text)


def _object(text: str | None) -> Fragment:
    return Fragment("{}" if text is None else text)


def _start(row: Row) -> Record:
    return {"record_id": row["record_id"], "timestamp": row["timestamp"]}


def _picked(row: Row, *names: str) -> Record:
    return {name: row[name] for name in names}


def _message(row: Row) -> Record:
    structured = row["structured_content"]
    content = row["content"] if structured is None else Fragment(structured)
    return {**_start(row), **_picked(row, "sequence", "role"), "content": content, "metadata": _object(row["metadata"])}


def _tool_call(row: Row) -> Record:
    return {
        **_start(row),
        **_picked(row, "task", "tool_name"),
        "tool_input": _document(row["tool_input"]),
        "tool_output": _document(row["tool_output"]),
        **_picked(row, "status", "error_message", "execution_time"),
        "metadata": _object(row["metadata"]),
    }


def _llm_request(row: Row) -> Record:
    return {
        **_start(row),
        **_picked(row, "request_id", *_NAMES_OF_MODEL),
        "messages": Fragment(row["messages"] or "[]"),
        "parameters": _object(row["parameters"]),
        "metadata": _object(row["metadata"]),
    }


def _llm_response(row: Row) -> Record:
    metadata, other = _without_names(row["response_metadata"])
    return {
        "record_id": row["response_record_id"],
        "timestamp": row["responded_at"],
        "request_id": row["request_id"],
        **_picked(row, *_NAMES_OF_MODEL),
        **other,
        "response": _document(row["response"]),
        "token_usage": _document(row["token_usage"]),
        "response_time": row["response_time"],
        "metadata": _object(metadata),
    }


def _without_names(metadata: str | None) -> tuple[str | None, Record]:
    """Return response metadata without the response's own model and provider, and these (services.ingest.llm_calls)."""
    if metadata is None or '"response.' not in metadata:
        return metadata, {}
    document = json.loads(metadata)
    other = {name: document.pop(f"response.{name}") for name in _NAMES_OF_MODEL if f"response.{name}" in document}
    return _dumped(document), other


def _dumped(document: Any) -> str:
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"))


def _amount(value: Decimal | None) -> str | None:
    return None if value is None else amount_text(value)


def _token_usage(row: Row) -> Record:
    joined = row["cost_record_id"] is not None
    metadata, note = note_split(row["metadata"]) if joined else (row["metadata"], {})
    computed = {"computed_cost": _amount(row["cost"])} if row["cost_status"] == "computed" else {}
    return {
        **_start(row),
        **_picked(row, "user_id", *_NAMES_OF_MODEL, *_TOKENS, "cache_read_tokens", "cache_write_tokens", "source"),
        "reported_cost": note.get("stated_cost") if joined else _amount(row["reported_cost"]),
        **computed,
        "metadata": _object(metadata),
    }


def _cost(row: Row) -> Record:
    """Return a cost: what it says beside the amount stands in a note where it has joined a use of tokens."""
    alone = stands_alone(row["source"], row["record_id"])
    note = {} if alone else note_split(row["metadata"])[1]
    metadata = row["metadata"] if alone else json_of(note.get("metadata", {}))
    return {
        "record_id": row["cost_record_id"],
        "timestamp": row["timestamp"],
        "user_id": note.get("user_id", row["user_id"]),
        "model": row["model"],
        "provider": note.get("provider", row["provider"]),
        **_picked(row, *_TOKENS),
        "total_cost": note.get("total_cost", _amount(row["reported_cost"])),
        "metadata": _object(metadata),
    }


def _error(row: Row) -> Record:
    names = ("error_id", "error_type", "error_message", "stack_trace", "severity")
    return {**_start(row), **_picked(row, *names), "metadata": _object(row["metadata"])}


def _metric(row: Row) -> Record:
    return {**_start(row), **_picked(row, "metric_type", "metric_value"), "metadata": _object(row["metadata"])}


def _task(row: Row) -> Record:
    return {
        "record_id": row["record_id"],
        "timestamp": row["created_at"],
        **_picked(row, "user_input", "status"),
        "results": _document(row["results"]),
        "updated_at": row["updated_at"],
        "subtasks": [_step(step) for step in row["subtasks"]],
        "metadata": _object(row["metadata"]),
    }


def _step(row: Row) -> Record:
    return {
        **_picked(row, "subtask_index", "description", "expected_output", "actual_output", "status"),
        "context": _object(row["context"]),
        "validation_report": _object(row["validation_report"]),
        **_picked(row, "created_at", "updated_at"),
    }


_FORMS: dict[str, Callable[[Row], Record]] = {
    "message": _message,
    "llm_request": _llm_request,
    "llm_response": _llm_response,
    "token_usage": _token_usage,
    "cost": _cost,
    "tool_call": _tool_call,
    "error": _error,
    "metric": _metric,
    "task": _task,
}
