"""What old stores hold for times, counts, money and JSON is read exactly, or refused with a reason."""

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest

from backups_app.legacy import json_exact
from backups_app.legacy.json_exact import NOT_FINITE, SEVERAL_OBJECTS, TEXT_REPLACED, BadJSON, parse_json
from backups_app.legacy.numbers import cost_read, exact_number, number_read, seconds_read, tokens_read
from backups_app.legacy.times import time_read

MOMENT = datetime(2024, 10, 22, 17, 48, tzinfo=UTC)


@pytest.mark.parametrize(
    "value",
    [
        "2024-10-22T17:48:00Z",
        "2024-10-22T17:48:00",
        "2024-10-22 17:48:00",
        "2024-10-22T17:48",
        "2024-10-23T01:48:00+08:00",
        "2024-10-23T01:48:00+0800",
        "2024-10-22T17:48:00z",
        1729619280,
        1729619280000,
        1729619280.0,
        "1729619280",
        "Tue, 22 Oct 2024 17:48:00 GMT",
        "datetime.datetime(2024, 10, 22, 17, 48)",
        "datetime.datetime(2024, 10, 22, 17, 48, 0, 0, tzinfo=datetime.timezone.utc)",
    ],
)
def test_one_moment_is_read_from_every_form_of_it(value):
    assert time_read(value, UTC) == MOMENT


def test_a_time_without_a_zone_is_in_the_stated_one():
    assert time_read("2024-10-23T01:48:00", timezone(timedelta(hours=8))) == MOMENT


def test_fractions_are_kept_to_the_microsecond():
    assert time_read("2024-10-22T17:48:00.123456789Z", UTC) == MOMENT.replace(microsecond=123456)
    assert time_read(1729619280123, UTC) == MOMENT.replace(microsecond=123000)


@pytest.mark.parametrize(
    "value",
    [
        "2024-02-30T00:00:00Z", "2024-10-22T24:00:00Z", "2016-12-31T23:59:60Z", "", None, "yesterday", -1, 0, 1e20,
        True, "２０２４-10-22", "2024/10/22 17:48", "0001-01-01T00:00:00Z", "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59.999999Z", float("nan"), float("inf"), [], "1" * 5000,
    ],
)  # fmt: skip
def test_what_is_no_time_is_none_and_never_the_present(value):
    assert time_read(value, UTC) is None


@pytest.mark.parametrize(("value", "count"), [(0, 0), (7, 7), (100.0, 100), ("100", 100), (10**12, 10**12)])
def test_token_counts_are_integers_however_written(value, count):
    assert tokens_read(value) == count


@pytest.mark.parametrize("value", [-5, 100.5, " 1,000 ", True, None, [], 10**12 + 1, 2**63, 10**40, 1e30, "٣"])
def test_what_is_no_token_count_is_none(value):
    assert tokens_read(value) is None


def test_a_cost_is_the_decimal_as_written():
    line = b'{"total_cost": 0.12345678901234567890123, "other": NaN}'
    assert cost_read(exact_number(line, "total_cost")) == Decimal("0.12345678901234567890123")
    assert cost_read("0.25") == Decimal("0.25")
    assert str(cost_read(-0.0)) == "0"


@pytest.mark.parametrize(
    "value", [None, True, -1, "ten", 10**12, Decimal("1e400"), Decimal("NaN"), Decimal("1e-25"), [], "1e999999999"]
)
def test_what_is_no_cost_is_none(value):
    assert cost_read(value) is None


def test_durations_are_from_0_to_a_billion_seconds():
    assert [seconds_read(value) for value in ("1.5", 0, 10**9)] == [1.5, 0.0, 1e9]
    refused = (-1, -0.001, 1e300, 10**9 + 1, "1e12", float("inf"), float("nan"), 10**400, "soon", True)
    assert [seconds_read(value) for value in refused] == [None] * len(refused)
    assert number_read(-1) == -1.0


def test_integers_beyond_64_bits_stay_exact():
    text = b'{"id": 12345678901234567890123, "x": 0.30000000000000004, "z": -0.0}'
    (value,) = parse_json(text, 100).values
    assert value == {"id": 12345678901234567890123, "x": 0.30000000000000004, "z": -0.0}
    assert type(value["id"]) is int


def test_what_no_database_stores_is_replaced_and_named():
    parsed = parse_json(b'{"a": "x\\u0000y", "b": "half \\ud83d", "c": NaN, "d": 1e400, "ok": "\\ud83d\\ude00"}', 100)
    assert parsed.values == [{"a": "x�y", "b": "half �", "c": None, "d": None, "ok": "😀"}]
    assert set(parsed.repairs) == {TEXT_REPLACED, NOT_FINITE}


def test_two_objects_on_one_line_are_both_read():
    parsed = parse_json(b'{"a": 1} {"b": 2}', 100)
    assert (parsed.values, parsed.repairs, parsed.rest) == ([{"a": 1}, {"b": 2}], (SEVERAL_OBJECTS,), None)


def test_a_good_object_before_garbage_is_kept_and_the_garbage_named():
    parsed = parse_json(b'{"a": 1} {"b": ', 100)
    assert parsed.values == [{"a": 1}]
    assert parsed.rest is not None
    assert parsed.rest.code == "invalid_json"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (b'{"a": ', "invalid_json"),
        (b"\x00\x00", "invalid_json"),
        (b'"caf\xe9"', "not_utf8"),
        (b"", "empty"),
        (b"[" * 50 + b"]" * 50, "nested_too_deep"),
        (b"[" * 100_000 + b"]" * 100_000, "nested_too_deep"),
        (b'{"n": ' + b"1" * 5000 + b"}", "invalid_json"),
    ],
)
def test_text_that_cannot_be_read_says_why(text, code):
    with pytest.raises(BadJSON) as raised:
        parse_json(text, 40)
    assert raised.value.code == code


def test_so_many_values_that_they_would_fill_the_memory_are_not_read(monkeypatch):
    monkeypatch.setattr(json_exact, "MOST_VALUES", 100)
    text = b'{"a": "' + b"[,{" * 100 + rb"\"" + b'"}'
    assert parse_json(text, 40).values
    with pytest.raises(BadJSON) as raised:
        parse_json(b"[" + b"{}," * 60 + b"1]", 40)
    assert raised.value.code == "too_many_values"


def test_nesting_up_to_the_bound_is_read():
    assert parse_json(b"[" * 40 + b"]" * 40, 40).values
