"""POST /api/records/: what is stored, what is answered, and what a bad record does to the others."""

import gzip
import json

import pytest
import zstandard

from history_app.models import LLMCall, Message, TokenUsage, ToolCall
from sessions_app.models import Session, SessionActivity
from tests.history_app.records import record

pytestmark = pytest.mark.django_db

ADDRESS = "/api/records/"
KINDS = ("message", "tool_call", "llm_request", "llm_response", "token_usage", "cost", "error", "metric")


def ndjson(records):
    return b"".join(json.dumps(each, ensure_ascii=False).encode() + b"\n" for each in records)


def post_lines(client, body, **options):
    return client.post(ADDRESS, body, content_type="application/x-ndjson", **options)


def test_records_of_all_kinds_are_stored_and_counted(agent):
    records = [record(kind, f"r-{place}") for place, kind in enumerate(KINDS)]
    answer = agent.post(ADDRESS, records)
    assert answer.status_code == 200
    assert answer.json() == {"accepted": len(KINDS), "duplicates": 0, "rejected": []}
    assert (Message.objects.count(), ToolCall.objects.count(), LLMCall.objects.count()) == (1, 1, 1)
    assert TokenUsage.objects.get().cost_status == "reported"


@pytest.mark.parametrize(
    "content_type", ["application/x-ndjson", "application/jsonl", "application/x-ndjson; charset=utf-8"]
)
def test_a_record_a_line_says_the_same_as_a_list(agent, content_type):
    records = [record("message", f"m-{n}", content=f"第 {n} 句") for n in range(3)]
    answer = agent.post(ADDRESS, ndjson(records), content_type=content_type)
    assert answer.json()["accepted"] == 3
    assert agent.post(ADDRESS, records).json() == {"accepted": 0, "duplicates": 3, "rejected": []}
    assert [each.content for each in Message.objects.order_by("sequence")] == ["第 0 句", "第 1 句", "第 2 句"]


def test_lines_end_at_lf_alone_and_blank_ones_count_for_nothing(agent):
    texts = ["one\u2028two", "three\u0085four", "five\x0bsix"]
    lines = [json.dumps(record("message", f"m-{n}", content=text), ensure_ascii=False) for n, text in enumerate(texts)]
    body = "\ufeff\n" + "\r\n\n  \n".join(lines) + "\n\n"
    # A vertical tab must be escaped in JSON.
    answer = post_lines(agent, body.replace("\x0b", "\\u000b").encode())
    assert answer.json() == {"accepted": 3, "duplicates": 0, "rejected": []}
    assert [each.content for each in Message.objects.order_by("sequence")] == texts


def test_the_last_line_needs_no_end(agent):
    assert post_lines(agent, ndjson([record("message", "m-1")]).rstrip(b"\n")).json()["accepted"] == 1


@pytest.mark.parametrize("form", ["list", "lines"])
def test_a_bad_record_leaves_the_others_alone_and_is_named(agent, form):
    records = [
        record("message", "good-1"),
        record("message", "bad-role", role="narrator"),
        {**record("message", "bad-type"), "record_type": "nothing"},
        record("tool_call", "bad-task", task="no such task"),
        "no object",
        {**record("metric", "bad-value"), "metric_value": "much"},
        record("message", "good-2"),
    ]
    answer = agent.post(ADDRESS, records) if form == "list" else post_lines(agent, ndjson(records))
    assert answer.status_code == 200
    told = answer.json()
    assert (told["accepted"], told["duplicates"]) == (2, 0)
    found = [(each["index"], each["record_id"], each["errors"][0]["pointer"]) for each in told["rejected"]]
    assert found == [
        (1, "bad-role", "/role"),
        (2, "bad-type", "/record_type"),
        (3, "bad-task", "/task"),
        (4, None, ""),
        (5, "bad-value", "/metric_value"),
    ]
    assert list(Message.objects.values_list("record_id", flat=True).order_by("sequence")) == ["good-1", "good-2"]


def test_another_content_under_the_same_id_is_a_conflict_and_the_stored_one_stays(agent):
    agent.post(ADDRESS, [record("message", "m-1", content="first")])
    told = agent.post(ADDRESS, [record("message", "m-1", content="second"), record("message", "m-2")]).json()
    assert told["accepted"] == 1
    assert told["rejected"] == [
        {
            "index": 0,
            "record_id": "m-1",
            "errors": [{"pointer": "/record_id", "detail": "Another record is stored under this id."}],
        }
    ]
    assert Message.objects.get(record_id="m-1").content == "first"


def test_atomic_takes_all_or_none(agent):
    records = [record("message", "m-1"), record("message", "m-2", role="narrator")]
    answer = agent.post(ADDRESS, records, params={"atomic": "true"})
    assert answer.status_code == 400
    assert answer["Content-Type"] == "application/problem+json"
    assert answer.json()["errors"][0]["pointer"] == "/1/role"
    assert not Message.objects.exists()
    assert not Session.objects.exists()
    assert agent.post(ADDRESS, records[:1], params={"atomic": "true"}).json()["accepted"] == 1


def test_atomic_names_a_conflict(agent):
    agent.post(ADDRESS, [record("message", "m-1", content="first")])
    records = [record("message", "m-0"), record("message", "m-1", content="second")]
    answer = agent.post(ADDRESS, records, params={"atomic": "true"})
    assert answer.status_code == 409
    assert answer.json()["errors"][0]["pointer"] == "/1/record_id"
    assert Message.objects.count() == 1


def test_sessions_are_not_created_when_that_is_asked(agent, project):
    answer = agent.post(ADDRESS, [record("message", "m-1")], params={"create_sessions": "false"})
    assert answer.json()["rejected"][0]["errors"] == [{"pointer": "/session_id", "detail": "There is no such session."}]
    assert not Session.objects.exists()
    assert agent.post(ADDRESS, [record("message", "m-1")]).json()["accepted"] == 1
    assert SessionActivity.objects.get().message_count == 1


@pytest.mark.parametrize("name", ["atomic", "create_sessions"])
def test_a_switch_is_true_or_false(agent, name):
    answer = agent.post(ADDRESS, [], params={name: "perhaps"})
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["pointer"] == f"/{name}"


def test_unknown_keys_and_message_type_are_taken(agent):
    raw = {**record("message", "m-1"), "message_type": "assistant", "mood": "calm"}
    del raw["role"]
    assert agent.post(ADDRESS, [raw]).json()["accepted"] == 1
    stored = Message.objects.get()
    assert (stored.role, stored.metadata) == ("assistant", {"mood": "calm"})


def test_responses_find_their_requests_in_any_order_and_body(agent):
    agent.post(ADDRESS, [record("llm_response", "p-1")])
    agent.post(ADDRESS, [record("llm_request", "q-1")])
    call = LLMCall.objects.get()
    assert (call.model, call.response) == ("gpt-4o", {"content": "Hello"})


def test_a_body_larger_than_a_batch_is_one_transaction(agent, monkeypatch):
    monkeypatch.setattr("history_app.api.record_bodies.RECORDS_PER_BATCH", 10)
    records = [record("message", f"m-{n}") for n in range(35)]
    bad = [*records, {**record("message", "bad"), "role": "narrator"}]
    assert post_lines(agent, ndjson(bad), params={"atomic": "true"}).status_code == 400
    assert not Message.objects.exists()
    told = post_lines(agent, ndjson([*bad, *records[:3]])).json()
    assert (told["accepted"], told["duplicates"], [each["index"] for each in told["rejected"]]) == (35, 3, [35])
    numbers = Message.objects.order_by("sequence").values_list("record_id", "sequence")
    assert list(numbers) == [(f"m-{n}", n + 1) for n in range(35)]


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
def test_compressed_bodies_are_taken(agent, encoding):
    body = ndjson([record("message", f"m-{n}") for n in range(300)])
    whole = gzip.compress(body[:1000]) + gzip.compress(body[1000:])
    if encoding == "zstd":
        whole = zstandard.compress(body[:1000]) + zstandard.ZstdCompressor().compress(body[1000:])
    answer = post_lines(agent, whole, headers={"Content-Encoding": encoding})
    assert answer.json() == {"accepted": 300, "duplicates": 0, "rejected": []}


def test_a_reader_may_not_write_and_an_outsider_writes_elsewhere(reader, outsider, agent):
    assert reader.post(ADDRESS, [record("message", "m-1")]).status_code == 403
    assert outsider.post(ADDRESS, [record("message", "m-1")]).json()["accepted"] == 1
    assert agent.get("/api/messages/").json()["results"] == []
    assert agent.post(ADDRESS, [record("message", "m-1", content="own")]).json()["accepted"] == 1


def test_the_number_of_queries_does_not_grow_with_the_number_of_records(agent, django_assert_max_num_queries):
    agent.post(ADDRESS, [record("message", "m-0")])
    with django_assert_max_num_queries(10):
        agent.post(ADDRESS, [record("message", f"m-{n}") for n in range(1, 200)])
