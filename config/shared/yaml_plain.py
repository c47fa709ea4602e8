"""Reads YAML without running, expanding or guessing: no tags, no aliases, and text stays as it was written."""

import re
from dataclasses import dataclass, field
from typing import Any

import yaml

MOST_NODES = 200_000
_INTEGER = re.compile(r"-?(0|[1-9]\d{0,99})", re.ASCII)
_NUMBER = re.compile(r"-?\d+(\.\d+)?(e[+-]\d+)?", re.ASCII)
_WORDS = {"true": True, "false": False, "null": None, "~": None, "": None}
_PLAIN_TAGS = frozenset({None, "!"} | {f"tag:yaml.org,2002:{name}" for name in ("str", "map", "seq")})


class BadYAML(Exception):
    """YAML that is not read. `code` is short and stable. The text never quotes the file, which may hold secrets."""

    def __init__(self, code: str, detail: str, line: int | None = None) -> None:
        super().__init__(detail)
        self.code = code
        self.line = line


@dataclass(slots=True)
class PlainYAML:
    """What a YAML text says, and the keys that stood twice in one mapping (the last one counts) with their lines."""

    value: Any
    repeated_keys: list[tuple[str, int]] = field(default_factory=list)


def read_yaml(data: bytes, depth: int) -> PlainYAML:
    """The one document of a YAML text, nested at most `depth` deep.

    A plain scalar becomes an integer, a number, true, false or null only where writing that value gives the same text
    back (null also for `~` and nothing at all), so that `NO`, `1.10`, `014` and dates stay as they were written.
    Raises `BadYAML` for broken text, tags, aliases, several documents or none, and too many or too deep nodes.
    """
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise BadYAML("not_utf8", f"not UTF-8 at byte {error.start}") from error
    try:
        return _Builder(yaml.parse(text, Loader=yaml.CSafeLoader), depth).document()
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or "unreadable"
        raise BadYAML("invalid_yaml", f"invalid YAML: {problem}", mark.line + 1 if mark else None) from error


class _Builder:
    """Builds the value from the parser's events: they expand no alias and construct no object."""

    def __init__(self, events: Any, depth: int) -> None:
        self._events = events
        self._depth = depth
        self._nodes = 0
        self._repeated: list[tuple[str, int]] = []

    def document(self) -> PlainYAML:
        """The only document of the stream."""
        documents = 0
        value = None
        for event in self._events:
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    line = event.start_mark.line + 1 if event.start_mark else 1
                    raise BadYAML("several_documents", "more than one YAML document", line)
                value = self._node(next(self._events), 0)
        if documents == 0:
            raise BadYAML("empty", "an empty file")
        return PlainYAML(value, self._repeated)

    def _node(self, event: Any, depth: int) -> Any:
        line = event.start_mark.line + 1
        self._nodes += 1
        if depth > self._depth or self._nodes > MOST_NODES:
            raise BadYAML("nested_too_deep", "nested too deep, or too large", line)
        if isinstance(event, yaml.AliasEvent):
            raise BadYAML("alias", "an alias (*name) is not expanded", line)
        if event.tag not in _PLAIN_TAGS:
            raise BadYAML("tag", "a tag (!name) is not obeyed", line)
        if isinstance(event, yaml.ScalarEvent):
            is_plain = event.implicit[0] and event.tag is None
            return plain_scalar(event.value) if is_plain else event.value
        if isinstance(event, yaml.SequenceStartEvent):
            return self._sequence(depth)
        return self._mapping(depth)

    def _sequence(self, depth: int) -> list[Any]:
        items = []
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            items.append(self._node(event, depth + 1))
        return items

    def _mapping(self, depth: int) -> dict[str, Any]:
        found: dict[str, Any] = {}
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            line = event.start_mark.line + 1
            if not isinstance(event, yaml.ScalarEvent):
                raise BadYAML("key", "a key that is no plain text", line)
            if event.value in found:
                self._repeated.append((event.value, line))
            found[event.value] = self._node(next(self._events), depth + 1)
        return found


def plain_scalar(text: str) -> Any:
    """Return what a plain scalar says: text, unless it is unmistakable."""
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text) and text != "-0":
        return int(text)
    if _NUMBER.fullmatch(text) and repr(float(text)) == text:
        return float(text)
    return text
