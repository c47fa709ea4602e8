"""Secrets inside setting values: found by name, taken out by JSON pointer, and masked where they stood."""

import re
from collections.abc import Iterator
from typing import Any

from config.shared.errors import InvalidInput
from sessions_app.models import SystemConfig
from sessions_app.models.configuration import MASK

_SECRET_NAME = re.compile(
    r"(^|[_.\-/])(api[_\-]?key|secret|secret[_\-]?key|password|passwd|token|access[_\-]?key|private[_\-]?key|authorization)$",
    re.IGNORECASE,
)


def secrets_taken_out(
    key: str, value: Any, stated: dict[str, Any], stored: dict[str, Any]
) -> tuple[Any, dict[str, Any]]:
    """Return the value with masks, and the secrets behind them by JSON pointer ("" is the whole value).

    `stated` are given outright; texts under secret names join them; a mask in the value keeps what `stored` has for
    its place. Raises InvalidInput for a stated pointer that leads nowhere.
    """
    kept = dict(stated)
    masked = _walk(key, value, "", kept, stored)
    for pointer in stated:
        masked = _put(masked, pointer, [_unescape(step) for step in pointer.split("/")[1:]])
    return masked, kept


def _walk(name: str, value: Any, pointer: str, kept: dict[str, Any], stored: dict[str, Any]) -> Any:
    if isinstance(value, dict):
        return {key: _walk(key, item, f"{pointer}/{_escape(key)}", kept, stored) for key, item in value.items()}
    if isinstance(value, list):
        return [_walk("", item, f"{pointer}/{number}", kept, stored) for number, item in enumerate(value)]
    if value == MASK:
        if pointer in stored:
            kept.setdefault(pointer, stored[pointer])
        return value
    if isinstance(value, str) and value and not value.startswith("${") and _SECRET_NAME.search(name):
        kept.setdefault(pointer, value)
        return MASK
    return value


def _put(value: Any, pointer: str, steps: list[str], put: Any = MASK) -> Any:
    if not steps:
        return put
    step, rest = steps[0], steps[1:]
    if isinstance(value, dict) and step in value:
        return {**value, step: _put(value[step], pointer, rest, put)}
    if isinstance(value, list) and step.isdigit() and int(step) < len(value):
        return [_put(item, pointer, rest, put) if number == int(step) else item for number, item in enumerate(value)]
    raise InvalidInput.at("/secrets", f"The pointer {pointer!r} leads nowhere in the value.")


def value_at(value: Any, pointer: str) -> Any:
    """Return what stands at a JSON pointer. Raises InvalidInput where it leads nowhere."""
    for step in map(_unescape, pointer.split("/")[1:]):
        if isinstance(value, dict) and step in value:
            value = value[step]
        elif isinstance(value, list) and step.isdigit() and int(step) < len(value):
            value = value[int(step)]
        else:
            raise InvalidInput.at("/secrets", f"The pointer {pointer!r} leads nowhere in the value.")
    return value


def revealed(value: Any, secrets: dict[str, Any]) -> Any:
    """Return the value with its secrets in clear, where the masks stood."""
    for pointer, secret in secrets.items():
        value = _put(value, pointer, [_unescape(step) for step in pointer.split("/")[1:]], secret)
    return value


def told_of(config: SystemConfig) -> dict[str, Any]:
    """Return what the audit may know of a setting: its value with masks, and which places hold secrets."""
    return {
        "value": config.value,
        "value_type": str(config.value_type),
        "section": config.section,
        "secrets": list(_pointers(config.value, "")),
    }


def _pointers(value: Any, pointer: str) -> Iterator[str]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _pointers(item, f"{pointer}/{_escape(key)}")
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from _pointers(item, f"{pointer}/{number}")
    elif value == MASK:
        yield pointer


def _escape(step: str) -> str:
    return step.replace("~", "~0").replace("/", "~1")


def _unescape(step: str) -> str:
    return step.replace("~1", "/").replace("~0", "~")
