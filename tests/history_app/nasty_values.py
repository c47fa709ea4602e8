"""The values that three databases treat differently, as records, and the one outcome that each of them shall have."""

import json
from dataclasses import dataclass, field
from sys import float_info
from typing import Any

TIME = '"timestamp": "2026-03-01T12:00:00Z"'
WHOLE = {
    "message": '"role": "user"',
    "tool_call": '"tool_name": "t"',
    "token_usage": '"model": "m"',
    "cost": '"model": "m"',
    "error": '"error_type": "E"',
    "metric": '"metric_type": "m"',
}
ADDRESSES = {
    "message": "/api/messages/",
    "tool_call": "/api/tool-calls/",
    "token_usage": "/api/token-usage/",
    "cost": "/api/token-usage/",
    "error": "/api/errors/",
    "metric": "/api/metrics/",
}


@dataclass(frozen=True, slots=True)
class Nasty:
    """One value: its records as JSON text, and either the rows that are kept of them or where they are refused.

    `characters` and `numbers` are what had to be replaced. `python` holds for callers from Python, who have no JSON
    text whose integers other programs read as floats.
    """

    kind: str
    records: list[str]
    kept: list[dict[str, Any]] = field(default_factory=list)
    characters: int = 0
    numbers: int = 0
    refused: str | None = None
    named: str | None = "r"
    python: "Nasty | None" = None

    @property
    def address(self) -> str:
        """Where its rows are read back."""
        return ADDRESSES[self.kind]


def _json(kind: str, fields: str, record_id: str = "r", session_id: str = "s-1", time: str = TIME) -> str:
    own = f'"record_type": "{kind}", "session_id": "{session_id}", "record_id": "{record_id}", {time}'
    return f"{{{', '.join(part for part in (own, WHOLE[kind], fields) if part)}}}"


def _kept(kind: str, fields: str, *, characters: int = 0, numbers: int = 0, **kept: Any) -> Nasty:
    return Nasty(kind, [_json(kind, fields)], [kept], characters, numbers)


def _refused(kind: str, fields: str, pointer: str, python: Nasty | None = None) -> Nasty:
    return Nasty(kind, [_json(kind, fields)], refused=pointer, python=python)


def _two_ids(one: str, other: str) -> Nasty:
    return Nasty(
        "message", [_json("message", "", one), _json("message", "", other)], [{"record_id": one}, {"record_id": other}]
    )


def _bad_id(text: str, named: str | None) -> Nasty:
    return Nasty("message", [_json("message", "", record_id=text)], refused="/record_id", named=named)


def _time(stated: str, kept: str | None) -> Nasty:
    raw = _json("message", "", time=f'"timestamp": "{stated}"')
    return Nasty("message", [raw], [{"timestamp": kept}]) if kept else Nasty("message", [raw], refused="/timestamp")


def _nested(levels: int) -> str:
    return f'"metadata": {{"a": {"[" * (levels - 1)}{"]" * (levels - 1)}}}'


BIG = 2**63
LINES = "one\u2028two\u2029three\u0085four"
HUGE = _json("message", '"content": "' + "x" * 20_000_000 + '"')
VALUES = {
    "NUL in text": _kept("message", r'"content": "a\u0000b"', characters=1, content="a\ufffdb"),
    "NUL in a JSON value": _kept("tool_call", r'"tool_output": ["\u0000"]', characters=1, tool_output=["\ufffd"]),
    "NUL in a JSON key": _kept("message", r'"metadata": {"k\u0000": 1}', characters=1, metadata={"k\ufffd": 1}),
    "NUL in a name": _kept("token_usage", r'"provider": "p\u0000"', characters=1, provider="p\ufffd"),
    "an escaped backslash before u0000": _kept("message", r'"content": "a\\u0000b"', content=r"a\u0000b"),
    "a lone surrogate in text": _kept("message", r'"content": "a\ud800b"', characters=1, content="a\ufffdb"),
    "a lone surrogate in a JSON value": _kept(
        "tool_call", r'"tool_input": {"a": "\udfff"}', characters=1, tool_input={"a": "\ufffd"}
    ),
    "a lone surrogate in a JSON key": _kept(
        "message", r'"metadata": {"\ud800": 1}', characters=1, metadata={"\ufffd": 1}
    ),
    "a pair of surrogates": _kept("message", r'"content": "\ud83d\ude42"', content="🙂"),
    "NaN in JSON": _kept("tool_call", '"tool_output": [NaN, 1.5]', numbers=1, tool_output=[None, 1.5]),
    "Infinity in JSON": _kept("message", '"metadata": {"a": -Infinity}', numbers=1, metadata={"a": None}),
    "a number beyond all floats in JSON": _kept("message", '"metadata": {"a": 1e400}', numbers=1, metadata={"a": None}),
    "NaN where there may be no number": _kept("tool_call", '"execution_time": NaN', numbers=1, execution_time=None),
    "NaN where there must be a number": _refused("metric", '"metric_value": NaN', "/metric_value"),
    "Infinity where there must be a number": _refused("metric", '"metric_value": Infinity', "/metric_value"),
    "the greatest float": _kept("metric", '"metric_value": 1.7976931348623157e308', metric_value=float_info.max),
    "2^63 - 1 in JSON": _kept("message", f'"metadata": {{"n": {BIG - 1}}}', metadata={"n": BIG - 1}),
    "2^63 in JSON": _refused(
        "message",
        f'"metadata": {{"n": {BIG}}}',
        "/metadata/n",
        python=_kept("message", f'"metadata": {{"n": {BIG}}}', metadata={"n": BIG}),
    ),
    "2^63 in a column": _refused("token_usage", f'"total_tokens": {BIG}', "/total_tokens"),
    "2^63 as a message's number": _refused("message", f'"sequence": {BIG}', "/sequence"),
    "a negative zero": _kept("tool_call", '"tool_output": {"b": -0.0, "a": 1.0}', tool_output={"b": -0.0, "a": 1.0}),
    "a key twice": _kept("message", '"metadata": {"a": 1, "a": 2}', metadata={"a": 2}),
    "JSON 64 levels deep": _kept("message", _nested(64), metadata={"a": json.loads("[" * 63 + "]" * 63)}),
    "JSON 65 levels deep": _refused("message", _nested(65), "/metadata"),
    "JSON 200 levels deep": _refused("message", _nested(200), "/metadata"),
    "a text of 20 MB": Nasty("message", [HUGE], refused="", named=None, python=Nasty("message", [HUGE], refused="")),
    "an id of 255 characters": Nasty("message", [_json("message", "", "🙂" * 255)], [{"record_id": "🙂" * 255}]),
    "an id that is too long": _bad_id("x" * 256, "x" * 256),
    "an id with NUL": _bad_id(r"a\u0000b", "a\ufffdb"),
    "an id with a lone surrogate": _bad_id(r"a\ud800b", "a\ufffdb"),
    "an id that is a path": Nasty("message", [_json("message", "", "../../etc")], [{"record_id": "../../etc"}]),
    "a session id with NUL": Nasty("message", [_json("message", "", session_id=r"s\u0000")], refused="/session_id"),
    "a user id with NUL": _refused("token_usage", r'"user_id": "u\u0000"', "/user_id"),
    "a source that is too long": _refused("token_usage", f'"source": "{"x" * 33}"', "/source"),
    "ids that differ in case": _two_ids("ab", "AB"),
    "ids that differ in a trailing space": _two_ids("x", "x "),
    "ids that differ in an accent": _two_ids("e", "é"),
    "ids that differ in their normal form": _two_ids("é", "e\u0301"),
    "ids of which one is made of what is ignored": _two_ids("a", "a\u200b"),
    "U+2028 in text": _kept("message", f'"content": "{LINES}"', content=LINES),
    "a BOM in text": _kept("message", '"content": "\ufeffone"', content="\ufeffone"),
    "trailing spaces in text": _kept("message", '"content": " x  "', content=" x  "),
    "an empty text": _kept("message", '"content": ""', content=""),
    "what is no character": _kept("message", '"content": "\uffff\U0010ffff"', content="\uffff\U0010ffff"),
    "a time without an offset": _time("2026-03-29T02:30:00", "2026-03-29T02:30:00Z"),
    "a time with an offset": _time("2026-03-29T02:30:00+14:00", "2026-03-28T12:30:00Z"),
    "a time in nanoseconds": _time("2026-03-01T12:00:00.123456789Z", "2026-03-01T12:00:00.123457Z"),
    "a leap second": _time("2016-12-31T23:59:60Z", None),
    "a time before the calendar": _time("0001-01-01T00:00:00+14:00", None),
    "a time after the calendar": _time("9999-12-31T23:59:59-14:00", None),
    "an infinite amount": _kept("cost", '"total_cost": 1e400', numbers=1, reported_cost=None),
    "an amount of many places": _kept("cost", f'"total_cost": "0.{"0" * 23}1"', reported_cost=f"0.{'0' * 23}1"),
    "what had to be replaced in a refused record": _refused(
        "tool_call", r'"tool_output": ["\u0000", NaN], "execution_time": -1', "/execution_time"
    ),
}
