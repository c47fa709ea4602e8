"""Writes YAML that config.shared.yaml_plain reads back as the very same value, and that people like to read."""

from collections.abc import Iterator
from typing import Any

import yaml

from config.shared.yaml_plain import plain_scalar

_WORDS = {True: "true", False: "false", None: "null"}
WIDTH = 120


def write_yaml(value: Any) -> bytes:
    """Return a JSON value as one YAML document: no tags, no aliases, texts quoted where they could be misread."""
    text: str = yaml.emit(_stream(value), Dumper=yaml.SafeDumper, allow_unicode=True, width=WIDTH)
    return text.encode()


def _stream(value: Any) -> Iterator[yaml.Event]:
    yield yaml.StreamStartEvent()
    yield yaml.DocumentStartEvent(explicit=False)
    yield from _node(value)
    yield yaml.DocumentEndEvent(explicit=False)
    yield yaml.StreamEndEvent()


def _node(value: Any) -> Iterator[yaml.Event]:
    if isinstance(value, dict):
        yield yaml.MappingStartEvent(None, None, True, flow_style=not value)
        for key, inner in value.items():
            yield _text(key, is_key=True)
            yield from _node(inner)
        yield yaml.MappingEndEvent()
    elif isinstance(value, list):
        yield yaml.SequenceStartEvent(None, None, True, flow_style=not value)
        for inner in value:
            yield from _node(inner)
        yield yaml.SequenceEndEvent()
    elif isinstance(value, str):
        yield _text(value)
    else:
        plain = _WORDS[value] if value is None or isinstance(value, bool) else repr(value)
        yield yaml.ScalarEvent(None, None, (True, False), plain)


def _text(text: str, *, is_key: bool = False) -> yaml.Event:
    """Return a text: in a block where it has lines, quoted where a plain scalar would be something else."""
    if "\n" in text and not is_key and _is_blocky(text):
        return yaml.ScalarEvent(None, None, (False, True), text, style="|")
    if not is_key and plain_scalar(text) is not text:
        return yaml.ScalarEvent(None, None, (False, True), text, style="'")
    if not _is_blocky(text):
        return yaml.ScalarEvent(None, None, (False, True), text, style='"')
    return yaml.ScalarEvent(None, None, (True, True), text)


def _is_blocky(text: str) -> bool:
    """Return whether a text holds nothing but what stays the same outside of double quotes."""
    return all(character == "\n" or character.isprintable() for character in text) and not text.startswith("\n")
