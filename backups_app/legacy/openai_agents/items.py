"""Makes messages and tool calls of the items of a conversation, and uses of tokens of its turns."""

from datetime import datetime
from typing import Any

from backups_app.legacy.agent_flow.tool_logs import sealed_secrets
from backups_app.legacy.columns import RowTaking
from backups_app.legacy.history_store.records import UNNAMED, message, token_usage
from backups_app.legacy.json_exact import BadJSON, parse_json
from backups_app.legacy.types import LegacyConfig, LegacyRecord

FUNCTION_CALL = "function_call"
CALL, ANSWER = "_call", "_call_output"
ROLE_ALIASES = {"developer": "system"}
# What tools that run at the provider are given and give back, in the order of preference.
_INPUTS = ("arguments", "action", "queries", "input", "code")
_OUTPUTS = ("output", "outputs", "results", "result")
_STATUSES = {"completed": "success", "failed": "error", "incomplete": "error", "in_progress": "pending"}
_SOURCE = "api_call"


def type_of(item: Any) -> str:
    """What an item is: the older ones and those that users write are messages without saying so."""
    if type(item) is not dict:
        return ""
    kind = item.get("type")
    return kind if type(kind) is str else "message" if "role" in item else ""


def call_id_of(item: Any) -> str:
    """What joins a call and its answer; empty where there is nothing."""
    found = item.get("call_id") if type(item) is dict else None
    return found if type(found) is str else ""


def message_of(name: str, session_id: str, item: Any, taking: RowTaking, moment: datetime) -> LegacyRecord:
    """A message. An item that is neither message nor call, such as a reasoning, is one with the item as its content."""
    if type_of(item) == "message" and type(item.get("role")) is str:
        role = item["role"]
        taking.raw = {"role": ROLE_ALIASES.get(role, role), "content": item.get("content")}
        if role in ROLE_ALIASES:
            taking.metadata["original_role"] = role
        taking.metadata.update({key: value for key, value in item.items() if key not in ("role", "content", "type")})
    else:
        taking.raw = {"role": "assistant", "content": item}
        taking.metadata["item_type"] = type_of(item) or UNNAMED
    return _record("message", name, session_id, moment, message(taking), taking)


def call_of(  # noqa: PLR0917 - the parts of one call
    name: str, session_id: str, item: dict[str, Any], answer: dict[str, Any] | None, taking: RowTaking, moment: datetime
) -> tuple[LegacyRecord, LegacyConfig | None]:
    """A call with its answer, where there is one, and the setting that seals the secrets in it, if there are any."""
    kind = type_of(item)
    found = _first(item, _OUTPUTS) if answer is None else _first(answer, _OUTPUTS)
    status = _status(item, answer, found)
    if status == "success":
        taking.metadata["success_assumed"] = True
    taking.metadata |= {key: item[key] for key in ("id", "call_id") if type(item.get(key)) is str}
    known = {"type", "name", "id", "call_id", "status", *_INPUTS, *_OUTPUTS}
    taking.metadata.update({key: value for key, value in item.items() if key not in known})
    named = item.get("name")
    fields = {
        "tool_name": named[:255] if type(named) is str and named else kind,
        "tool_input": _read(_first(item, _INPUTS)),
        "tool_output": _read(found),
        "status": status,
        "error_message": "",
        "execution_time": None,
    }
    config = sealed_secrets(name, session_id, fields, taking)
    return _record("tool_call", name, session_id, moment, fields, taking), config


def answer_alone(name: str, session_id: str, item: dict[str, Any], taking: RowTaking, moment: datetime) -> LegacyRecord:
    """An answer to a call that is not there."""
    taking.metadata["call_id"] = item.get("call_id")
    fields = {
        "tool_name": UNNAMED,
        "tool_input": None,
        "tool_output": _read(_first(item, _OUTPUTS)),
        "status": "success",
        "error_message": "",
        "execution_time": None,
    }
    taking.repairs.append(("answer_without_call", "there is no call of this call_id"))
    return _record("tool_call", name, session_id, moment, fields, taking)


def usage_of(name: str, session_id: str, taking: RowTaking, moment: datetime) -> LegacyRecord:
    """The tokens of one turn."""
    details = taking.document("input_tokens_details")
    raw = taking.raw
    kept = {key: raw[key] for key in ("branch_id", "user_turn_number", "requests") if raw.get(key) is not None}
    others = {
        key: value for key in ("input_tokens_details", "output_tokens_details") if (value := taking.document(key))
    }
    taking.metadata.update({**kept, **others})
    taking.raw = {
        "prompt_tokens": raw.get("input_tokens"),
        "completion_tokens": raw.get("output_tokens"),
        "total_tokens": raw.get("total_tokens"),
        "cache_read_tokens": details.get("cached_tokens"),
        "source": _SOURCE,
    }
    return _record("token_usage", name, session_id, moment, token_usage(taking), taking)


def _record(  # noqa: PLR0917 - the parts of one record
    kind: str, name: str, session_id: str, moment: datetime, fields: dict[str, Any], taking: RowTaking
) -> LegacyRecord:
    taking.kind = kind
    taking.tell(quoted=kind != "tool_call")
    return LegacyRecord(
        kind=kind,
        session_id=session_id,
        record_id=name,
        timestamp=moment,
        fields={**fields, "metadata": taking.metadata},
        place=taking.place,
        repaired=bool(taking.repairs),
        size=taking.size,
    )


def _status(item: dict[str, Any], answer: dict[str, Any] | None, found: Any) -> str:
    """A call is over when its answer is there; a tool at the provider says by itself how it ended."""
    if answer is not None:
        return "success"
    if type_of(item) == FUNCTION_CALL:
        return "pending"
    return _STATUSES.get(str(item.get("status")), "success" if found is not None else "pending")


def _first(item: dict[str, Any], keys: tuple[str, ...]) -> Any:
    return next((item[key] for key in keys if item.get(key) is not None), None)


def _read(value: Any) -> Any:
    """Arguments and answers are JSON in a text, where they are JSON."""
    if type(value) is not str or value[:1] not in ("{", "["):
        return value
    try:
        parsed = parse_json(value.encode("utf-8", "replace"), 60)
    except BadJSON:
        return value
    return parsed.values[0] if len(parsed.values) == 1 and parsed.rest is None else value
