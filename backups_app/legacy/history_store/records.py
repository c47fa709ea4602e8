"""Turns the JSON objects of history files into records with the field names of the public API."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from backups_app.legacy.fields import NAME_LENGTH, Taking
from backups_app.legacy.numbers import cost_read, exact_number, number_read

Fields = dict[str, Any]

COMMON = frozenset({"record_id", "session_id", "timestamp", "record_type", "metadata"})
ROLES = frozenset({"user", "assistant", "system", "tool"})
SEVERITIES = frozenset({"debug", "info", "warning", "error", "critical"})
TOOL_STATUS = {True: "success", False: "error"}
CALL_STATUSES = frozenset({"success", "error", "pending"})
TOKEN_KEYS = ("prompt_tokens", "completion_tokens", "total_tokens")
COST_KEYS = ("total_cost", "cost", "cost_usd", "reported_cost")
CURRENCY_KEYS = ("currency", "cost_currency")
UNNAMED = "unknown"
PROVIDER_LENGTH = 100
SOURCE_LENGTH = 32


def message(taking: Taking) -> Fields:
    """A message; `message_type` and `role` are one, and a content that is no text stays the structure that it is."""
    raw = taking.raw
    role = raw.get("message_type")
    if type(role) is not str or role not in ROLES or "role" in raw:
        role = _role(taking)
    return {"role": role, "content": raw.get("content")}


def _role(taking: Taking) -> str:
    key = taking.first_of("message_type", "role")
    role = taking.raw.get(key)
    if type(role) is str and role in ROLES:
        return role
    known = role.strip().lower() if type(role) is str else ""
    taking.metadata.setdefault("original_role", role)
    taking.repair(key, "role", "not one of user, assistant, system, tool")
    return known if known in ROLES else "system"


def tool_call(taking: Taking) -> Fields:
    """A tool call; `success` true, false or null becomes its status."""
    raw = taking.raw
    return {
        "tool_name": taking.name("tool_name", UNNAMED),
        "tool_input": raw.get("tool_input"),
        "tool_output": raw.get("tool_output"),
        "status": _call_status(taking),
        "error_message": _call_error(taking),
        "execution_time": taking.seconds("execution_time"),
    }


def _call_status(taking: Taking) -> str:
    success = taking.raw.get("success")
    if type(success) is bool and "status" not in taking.raw:
        return TOOL_STATUS[success]
    key = taking.first_of("success", "status")
    value = taking.raw.get(key)
    if type(value) is bool:
        return TOOL_STATUS[value]
    if type(value) is str and value in CALL_STATUSES:
        return value
    if value is not None:
        taking.repair(key, "call_status", "neither true, false nor null, taken as pending")
    return "pending"


def _call_error(taking: Taking) -> str:
    """The call's own error message, or the one that the old store kept in `metadata.error`."""
    if taking.raw.get("error_message") is not None:
        return taking.text("error_message")
    error = taking.metadata.get("error")
    return error if type(error) is str else ""


def llm_request(taking: Taking) -> Fields:
    """The request of a model call."""
    raw = taking.raw
    return {
        "request_id": _request_id(taking),
        "model": taking.name("model"),
        "provider": taking.name("provider", length=PROVIDER_LENGTH),
        "messages": raw.get("messages"),
        "parameters": raw.get("parameters"),
    }


def llm_response(taking: Taking) -> Fields:
    """The response of a model call."""
    raw = taking.raw
    return {
        "request_id": _request_id(taking),
        "model": taking.name("model"),
        "provider": taking.name("provider", length=PROVIDER_LENGTH),
        "response": raw.get("response"),
        "token_usage": raw.get("token_usage"),
        "response_time": taking.seconds("response_time"),
    }


def _request_id(taking: Taking) -> str | None:
    """The id that joins request and response, from the record or its metadata; None where there is none."""
    if taking.raw.get("request_id") is not None:
        return taking.name("request_id") or None
    inside = taking.metadata.get("request_id")
    return inside if type(inside) is str and 0 < len(inside) <= NAME_LENGTH else None


def token_usage(taking: Taking) -> Fields:
    """What a call used. A count that cannot be one is unknown; a total that is not the sum stays, and is reported."""
    fields = _usage(taking)
    fields["cache_read_tokens"] = taking.tokens("cache_read_tokens")
    fields["cache_write_tokens"] = taking.tokens("cache_write_tokens")
    fields["source"] = taking.name("source", length=SOURCE_LENGTH)
    if not taking.raw.keys().isdisjoint(COST_KEYS):
        fields["reported_cost"] = _cost(taking)
    return fields


def cost(taking: Taking) -> Fields:
    """What a call cost, in US dollars to the last digit written, with the tokens that it repeats."""
    return {**_usage(taking), "total_cost": _cost(taking)}


def _usage(taking: Taking) -> Fields:
    prompt, completion, total = (taking.tokens(key) for key in TOKEN_KEYS)
    if None not in (prompt, completion, total) and prompt + completion != total:  # type: ignore[operator]
        taking.repairs.append(("token_sum", f"total_tokens {total} is not {prompt} + {completion}; kept as found"))
    return {
        "user_id": taking.name("user_id"),
        "model": taking.name("model"),
        "provider": taking.name("provider", length=PROVIDER_LENGTH),
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": total,
    }


def _cost(taking: Taking) -> Decimal | None:
    """The amount; null where it is no amount, and where it is one of another currency."""
    key = taking.first_of(*COST_KEYS)
    if any(str(taking.raw.get(name) or "USD").upper() != "USD" for name in CURRENCY_KEYS):
        taking.repair(key, "currency", "an amount in another currency than USD is kept as found and not added")
        return None
    value = taking.raw.get(key)
    amount = cost_read(exact_number(taking.line, key) if type(value) is float else value)
    if amount is None and value is not None:
        taking.repair(key, "cost", "not an amount of money, taken as unknown")
    elif type(value) is str:
        taking.repair(key, "cost", "written as text, read as a number")
    return amount


def error(taking: Taking) -> Fields:
    """An error. A severity that is none of ours becomes the nearest, else `error`."""
    raw = taking.raw
    return {
        "error_id": taking.name("error_id"),
        "error_type": taking.name("error_type", "Error"),
        "error_message": taking.text("error_message"),
        "stack_trace": taking.text("stack_trace"),
        "severity": _severity(taking, raw.get("severity")),
    }


def _severity(taking: Taking, severity: Any) -> str:
    if severity is None:
        return "error"
    if type(severity) is str and severity in SEVERITIES:
        return severity
    taking.repair("severity", "severity", "not one of debug, info, warning, error, critical")
    word = severity.strip().lower().rstrip("!") if type(severity) is str else ""
    return {"warn": "warning", "fatal": "critical"}.get(word, word if word in SEVERITIES else "error")


def metric(taking: Taking) -> Fields | None:
    """A measured number; None where there is no number, for such a record cannot be kept as a metric."""
    number = number_read(taking.raw.get("metric_value"))
    if number is None:
        return None
    return {"metric_type": taking.name("metric_type", UNNAMED), "metric_value": number}


KINDS: dict[str, Callable[[Taking], Fields | None]] = {
    "message": message,
    "tool_call": tool_call,
    "llm_request": llm_request,
    "llm_response": llm_response,
    "token_usage": token_usage,
    "cost": cost,
    "error": error,
    "metric": metric,
}

_LLM = COMMON | {"request_id", "model", "provider"}
_USAGE = COMMON | {"user_id", "model", "provider", *TOKEN_KEYS, *COST_KEYS}
KNOWN_KEYS: dict[str, frozenset[str]] = {
    "message": COMMON | {"message_type", "role", "content"},
    "tool_call": COMMON
    | {"tool_name", "tool_input", "tool_output", "success", "status", "error_message", "execution_time"},
    "llm_request": _LLM | {"messages", "parameters"},
    "llm_response": _LLM | {"response", "token_usage", "response_time"},
    "token_usage": _USAGE | {"cache_read_tokens", "cache_write_tokens", "source"},
    "cost": _USAGE,
    "error": COMMON | {"error_id", "error_type", "error_message", "stack_trace", "severity"},
    "metric": COMMON | {"metric_type", "metric_value"},
}
