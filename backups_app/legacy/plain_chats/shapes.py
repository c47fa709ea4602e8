"""Says what is a chat and what is a message, and brings the messages of every kind of export into one form."""

from collections.abc import Iterator
from typing import Any

from backups_app.legacy.history_store.records import ROLES
from backups_app.legacy.json_exact import BadJSON, parse_json
from backups_app.legacy.times import time_read
from backups_app.legacy.types import Reading

LISTS = ("messages", "conversations", "conversation")
# What other programs call the four roles. The word that was found stays with the message.
SPEAKERS = {
    "human": "user", "gpt": "assistant", "chatgpt": "assistant", "bot": "assistant", "ai": "assistant",
    "model": "assistant", "function_call": "assistant", "developer": "system", "function": "tool",
    "function_response": "tool", "observation": "tool",
}  # fmt: skip
TIMES = ("timestamp", "created_at", "create_time", "created", "date")
CALL = "function_call"
# By these a message of a key-value store and a record of a history store are known, which come with the rest of it.
_FOREIGN = "message_id"
_RECORD = "record_type"

Message = dict[str, Any]


def is_message(value: Any) -> bool:
    """Whether this is a message: who speaks, and what is said (or called)."""
    if type(value) is not dict:
        return False
    if type(value.get("role")) is str:
        return not value.keys().isdisjoint({"content", "tool_calls", CALL})
    return type(value.get("from")) is str and "value" in value


def chat_in(value: Any) -> tuple[list[Any], dict[str, Any]] | None:
    """The messages of a chat, and what else it says; None for anything else."""
    if type(value) is list and any(is_message(item) for item in value):
        return value, {}
    if type(value) is dict:
        for name in LISTS:
            found = value.get(name)
            if type(found) is list and any(is_message(item) for item in found):
                return found, {key: item for key, item in value.items() if key != name}
    return None


def is_certain(value: Any) -> bool:
    """Whether this is a message or a chat, and no part of another store: by it a store is recognised."""
    if is_message(value):
        return _FOREIGN not in value
    found = chat_in(value)
    return found is not None and _RECORD not in found[1] and is_certain(next(filter(is_message, found[0])))


def arranged(message: Any, reading: Reading) -> Any:
    """The message with the names of document 000. What is none stays what it is."""
    if type(message) is not dict:
        return message
    found = dict(message)
    if "role" not in found and "from" in found:
        found["role"] = found.pop("from")
        found["content"] = found.pop("value", None)
    spoken = found.get("role")
    known = SPEAKERS.get(spoken.strip().lower()) if type(spoken) is str and spoken not in ROLES else None
    if known is not None:
        found["role"] = known
        found.setdefault("original_role", spoken)
    if "timestamp" not in found:
        named = next((name for name in TIMES if time_read(found.get(name), reading.zone)), None)
        if named is not None:
            found["timestamp"] = found.pop(named)
    return found


def calls_in(messages: list[Any], reading: Reading) -> list[dict[str, Any]]:
    """The calls of tools that messages tell of, each with its answer where a later message has one."""
    waiting: dict[str, dict[str, Any]] = {}
    calls: list[dict[str, Any]] = []
    for message in (message for message in messages if type(message) is dict):
        for key, call in _called(message, reading):
            waiting[key] = call
            calls.append(call)
        if message.get("role") == "tool":
            key = str(message.get("tool_call_id") or message.get("name") or "")
            answered = waiting.pop(key, None)
            if answered is not None:
                answered.update(tool_output=message.get("content"), success=True, success_assumed=True)
    return calls


def _called(message: Message, reading: Reading) -> Iterator[tuple[str, dict[str, Any]]]:
    """The calls of one message by what their answer will name; ShareGPT names nothing: the next answer is meant."""
    if message.get("original_role") == CALL:
        told = _json(message.get("content"), reading)
        found = [("", told)]
    else:
        calls = message.get("tool_calls")
        listed = calls if type(calls) is list else []
        found = [(str(call.get("id") or ""), call.get("function")) for call in listed if type(call) is dict]
        if type(message.get(CALL)) is dict:
            found.append((str(message[CALL].get("name") or ""), message[CALL]))
    for key, told in found:
        if type(told) is dict and type(told.get("name")) is str:
            call = {"tool_name": told["name"], "tool_input": _json(told.get("arguments"), reading)}
            yield key, call | ({"tool_call_id": key} if key else {}) | _time_of(message)


def _time_of(message: Message) -> dict[str, Any]:
    return {"timestamp": message["timestamp"]} if "timestamp" in message else {}


def _json(value: Any, reading: Reading) -> Any:
    """What a text says in JSON; a text that says nothing, and anything else, stays what it is."""
    if type(value) is not str:
        return value
    try:
        parsed = parse_json(value.encode(errors="surrogatepass"), reading.limits.depth)
    except BadJSON:
        return value
    return parsed.values[0] if len(parsed.values) == 1 and parsed.rest is None else value
