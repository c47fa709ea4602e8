"""The validator: what it takes, what it repairs, what it refuses and where it says so."""

import json
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from config.shared.errors import InvalidInput, TooLarge
from config.shared.text import Replaced
from history_app.services.records import record_parse
from tests.history_app.records import record


@pytest.fixture
def parse(now):
    return lambda raw, **options: record_parse(raw, now=now, **options)


def _pointer(parse, raw):
    with pytest.raises(InvalidInput) as refused:
        parse(raw)
    assert all(error.detail for error in refused.value.errors)
    return refused.value.errors[0].pointer


def test_a_message_keeps_what_it_says(parse):
    draft = parse(record("message", "m-1", content="Grüße, 世界 🙂", metadata={"a": [1, None]}))
    assert (draft.role, draft.content, draft.structured_content) == ("user", "Grüße, 世界 🙂", None)
    assert json.loads(draft.metadata) == {"a": [1, None]}
    assert draft.timestamp == datetime(2026, 3, 1, 12, tzinfo=UTC)


def test_message_type_is_another_name_of_role(parse):
    raw = record("message", "m-1", message_type="assistant")
    del raw["role"]
    assert parse(raw).role == "assistant"


def test_a_message_without_a_role_is_refused(parse):
    raw = record("message", "m-1")
    del raw["role"]
    assert _pointer(parse, raw) == "/role"


@pytest.mark.parametrize("content", [[{"type": "text", "text": "a"}, {"type": "image"}], {"k": 1}, 5, True, []])
def test_a_content_that_is_no_text_is_kept_with_its_structure(parse, content):
    assert json.loads(parse(record("message", "m-1", content=content)).structured_content) == content


def test_the_text_parts_of_a_structured_content_can_be_read(parse):
    parts = [{"type": "text", "text": "one"}, {"type": "image", "url": "x"}, "two"]
    assert parse(record("message", "m-1", content=parts)).content == "one\ntwo"


def test_unknown_keys_are_kept_in_the_metadata(parse):
    draft = parse(record("error", "e-1", host="h", metadata={"host": "other"}))
    assert json.loads(draft.metadata) == {"host": "other", "record.host": "h"}


def test_a_record_without_an_id_is_given_one_and_without_a_time_the_present_one(parse, now):
    raw = record("metric", "x")
    del raw["record_id"], raw["timestamp"]
    one, other = parse(raw), parse(raw)
    assert one.record_id != other.record_id
    assert (one.timestamp, one.timed) == (now, False)


@pytest.mark.parametrize(
    ("stated", "expected"),
    [
        ("2024-10-22T17:48:00Z", datetime(2024, 10, 22, 17, 48, tzinfo=UTC)),
        ("2024-10-22 17:48:00", datetime(2024, 10, 22, 17, 48, tzinfo=UTC)),
        ("2024-10-23T01:48:00+08:00", datetime(2024, 10, 22, 17, 48, tzinfo=UTC)),
        ("2024-10-22T17:48:00.123456Z", datetime(2024, 10, 22, 17, 48, 0, 123456, tzinfo=UTC)),
        (datetime(2024, 10, 22, 17, 48), datetime(2024, 10, 22, 17, 48, tzinfo=UTC)),
    ],
)
def test_times_are_read_as_rfc_3339_and_utc_where_they_say_nothing(parse, stated, expected):
    assert parse(record("metric", "x", timestamp=stated)).timestamp == expected


def test_what_cannot_be_stored_is_replaced_and_counted(parse):
    replaced = Replaced()
    raw = record("tool_call", "t-1", tool_output={"a\x00": ["\ud800", float("nan")]}, error_message="x\x00")
    draft = parse(raw, replaced=replaced)
    assert json.loads(draft.tool_output) == {"a\ufffd": ["\ufffd", None]}
    assert draft.error_message == "x\ufffd"
    assert (replaced.characters, replaced.numbers) == (3, 1)


@pytest.mark.parametrize("success", [(True, "success"), (False, "error"), (None, "pending")])
def test_success_is_another_form_of_status(parse, success):
    stated, status = success
    assert parse(record("tool_call", "t-1", success=stated)).status == status


def test_integers_beyond_64_bits_in_documents_are_kept_exactly(parse):
    assert json.loads(parse(record("tool_call", "t", tool_input={"n": 2**80})).tool_input) == {"n": 2**80}


@pytest.mark.parametrize(
    ("stated", "amount"),
    [
        (0.1, Decimal("0.1")),
        ("0.000000000000000000000001", Decimal("1e-24")),
        (Decimal("0.417922009998000006"), Decimal("0.417922009998000006")),
        (3, Decimal(3)),
        (float("inf"), None),
        ("NaN", None),
    ],
)
def test_an_amount_is_exact_as_written(parse, stated, amount):
    assert parse(record("cost", "c-1", total_cost=stated)).total_cost == amount


@pytest.mark.parametrize("name", ["cost", "cost_usd"])
def test_a_cost_has_other_names(parse, name):
    raw = record("cost", "c-1", **{name: "0.5"})
    del raw["total_cost"]
    assert parse(raw).total_cost == Decimal("0.5")


def test_a_total_is_made_from_its_parts(parse):
    raw = record("token_usage", "u-1")
    del raw["total_tokens"]
    assert parse(raw).total_tokens == 120


REFUSED = [
    ("message", {"session_id": ""}, "/session_id"),
    ("message", {"session_id": None}, "/session_id"),
    ("message", {"session_id": "x" * 256}, "/session_id"),
    ("message", {"session_id": "a\x00b"}, "/session_id"),
    ("message", {"record_id": 5}, "/record_id"),
    ("message", {"record_id": ""}, "/record_id"),
    ("message", {"record_id": "\ud800"}, "/record_id"),
    ("message", {"timestamp": "yesterday"}, "/timestamp"),
    ("message", {"timestamp": 1730000000}, "/timestamp"),
    ("message", {"timestamp": "0001-01-01T00:00:00+08:00"}, "/timestamp"),
    ("message", {"timestamp": "9999-12-31T23:59:59-08:00"}, "/timestamp"),
    ("message", {"role": "robot"}, "/role"),
    ("message", {"metadata": "x"}, "/metadata"),
    ("tool_call", {"tool_name": ""}, "/tool_name"),
    ("tool_call", {"status": "maybe"}, "/status"),
    ("tool_call", {"execution_time": -1}, "/execution_time"),
    ("tool_call", {"execution_time": "fast"}, "/execution_time"),
    ("tool_call", {"task": 1.5}, "/task"),
    ("llm_request", {"model": "x" * 256}, "/model"),
    ("llm_request", {"provider": "x" * 101}, "/provider"),
    ("token_usage", {"prompt_tokens": -1}, "/prompt_tokens"),
    ("token_usage", {"total_tokens": 2**63}, "/total_tokens"),
    ("token_usage", {"total_tokens": "100"}, "/total_tokens"),
    ("token_usage", {"total_tokens": True}, "/total_tokens"),
    ("token_usage", {"total_tokens": 1.5}, "/total_tokens"),
    ("token_usage", {"reported_cost": "much"}, "/reported_cost"),
    ("cost", {"total_cost": [1]}, "/total_cost"),
    ("cost", {"total_cost": 1e30}, "/total_cost"),
    ("error", {"severity": "odd"}, "/severity"),
    ("metric", {"metric_value": None}, "/metric_value"),
    ("metric", {"metric_value": float("nan")}, "/metric_value"),
    ("metric", {"metric_value": "1"}, "/metric_value"),
    ("metric", {"record_type": "reflection"}, "/record_type"),
    ("metric", {"record_type": None}, "/record_type"),
]


@pytest.mark.parametrize(("kind", "fields", "pointer"), REFUSED, ids=lambda value: str(value)[:40])
def test_a_bad_value_is_refused_by_the_name_of_its_field(parse, kind, fields, pointer):
    assert _pointer(parse, {**record(kind, "x"), **fields}) == pointer


def test_a_missing_field_is_named(parse):
    raw = record("tool_call", "x")
    del raw["tool_name"]
    assert _pointer(parse, raw) == "/tool_name"


def test_a_document_may_be_nested_but_not_without_end(parse):
    deep: list = []
    for _level in range(40):
        deep = [deep]
    assert json.loads(parse(record("tool_call", "x", tool_output=deep)).tool_output) == deep
    for _level in range(40):
        deep = [deep]
    assert _pointer(parse, record("tool_call", "x", tool_output=deep)) == "/tool_output"
    for _level in range(100_000):
        deep = [deep]
    assert _pointer(parse, record("tool_call", "x", tool_output=deep)) == "/tool_output"


def test_brackets_within_texts_are_not_depth(parse):
    text = "[{" * 500
    assert json.loads(parse(record("tool_call", "x", tool_output=[text])).tool_output) == [text]


def test_a_record_over_the_limit_is_too_large(parse, settings):
    settings.MAX_RECORD_BYTES = 1000
    parse(record("message", "m-1", content="x" * 1000))
    with pytest.raises(TooLarge):
        parse(record("message", "m-1", content="é" * 501))
    with pytest.raises(TooLarge):
        parse(record("tool_call", "t-1", tool_output=["x" * 1000]))
