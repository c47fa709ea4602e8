"""The bulk writer: everything stored once, in order, whatever else is in the batch."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from history_app.models import ErrorRecord, LLMCall, Message, Metric, Task, ToolCall
from history_app.services.ingest import BatchRefused
from sessions_app.models import Session, SessionActivity
from tests.history_app.records import TIME, outcomes, record, write

pytestmark = pytest.mark.django_db

KINDS = ["message", "tool_call", "llm_request", "llm_response", "token_usage", "cost", "error", "metric"]


def _messages(*ids, **fields):
    return [record("message", name, **fields) for name in ids]


def _numbers(session_id="s-1"):
    rows = Message.objects.filter(session__session_id=session_id).order_by("sequence")
    return list(rows.values_list("record_id", "sequence"))


def _activity(session_id="s-1"):
    return SessionActivity.objects.get(session__session_id=session_id)


@pytest.mark.parametrize("kind", KINDS)
def test_a_record_is_new_once_and_the_same_ever_after(project, now, kind):
    raw = record(kind, "r-1")
    assert outcomes(project, [raw], now) == ["new"]
    assert outcomes(project, [raw, raw], now) == ["same", "same"]


@pytest.mark.parametrize(
    ("kind", "other"),
    [
        ("message", {"content": "Something else"}),
        ("tool_call", {"tool_output": {"other": True}}),
        ("llm_request", {"messages": []}),
        ("llm_response", {"response": "other"}),
        ("token_usage", {"completion_tokens": 21}),
        ("cost", {"total_cost": "0.0032"}),
        ("error", {"severity": "critical"}),
        ("metric", {"metric_value": 2.6}),
        ("metric", {"timestamp": "2026-03-01T12:00:01Z"}),
        ("error", {"metadata": {"a": 1}}),
    ],
)
def test_another_content_under_the_same_id_is_a_conflict_and_the_first_one_stays(project, now, kind, other):
    first = record(kind, "r-1")
    assert outcomes(project, [first], now) == ["new"]
    assert outcomes(project, [{**first, **other}], now) == ["conflict"]
    assert outcomes(project, [first], now) == ["same"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_conflict_within_one_batch_leaves_the_first_one(project, now, kind):
    first = record(kind, "r-1")
    assert outcomes(project, [first, {**first, "metadata": {"n": 1}}, first], now) == ["new", "conflict", "same"]


def test_messages_are_numbered_in_the_order_of_the_batch(project, now):
    write(project, _messages("a", "b"), now)
    write(project, _messages("c", "a", "d", "c", "e"), now)
    assert _numbers() == [("a", 1), ("b", 2), ("c", 3), ("d", 4), ("e", 5)]
    assert (_activity().last_sequence, _activity().message_count) == (5, 5)


def test_each_session_of_a_batch_has_numbers_of_its_own(project, now):
    batch = [record("message", f"m-{n}", session_id=f"s-{n % 3}") for n in range(9)]
    assert outcomes(project, batch, now) == ["new"] * 9
    assert [number for _id, number in _numbers("s-2")] == [1, 2, 3]
    assert _numbers("s-2")[0] == ("m-2", 1)


def test_a_batch_over_many_sessions_takes_no_more_statements_than_one_over_two(project, now):
    taken = []
    for sessions in (2, 40):
        batch = [record("message", f"m-{n}", session_id=f"{sessions}-{n}") for n in range(sessions)]
        with CaptureQueriesContext(connection) as new:
            write(project, batch, now)
        with CaptureQueriesContext(connection) as repeated:
            write(project, batch, now)
        taken.append((len(new), len(repeated)))
    assert taken[0] == taken[1]


def test_the_same_record_id_in_two_sessions_or_projects_is_two_records(project, other_project, now):
    assert outcomes(project, [*_messages("a"), *_messages("a", session_id="s-2")], now) == ["new", "new"]
    assert outcomes(other_project, _messages("a"), now) == ["new"]
    assert Message.objects.count() == 3
    assert Session.objects.filter(session_id="s-1").count() == 2


def test_ids_that_differ_in_case_or_a_trailing_space_are_different(project, now):
    batch = _messages("a", "A", "a ")
    assert outcomes(project, batch, now) == ["new"] * 3
    assert outcomes(project, batch, now) == ["same"] * 3
    assert outcomes(project, [*_messages("a", session_id="S-1")], now) == ["new"]


def test_a_record_without_a_time_is_the_same_when_it_is_retried_later(project, now):
    raw = record("message", "m-1")
    del raw["timestamp"]
    assert outcomes(project, [raw], now) == ["new"]
    assert outcomes(project, [raw], now.replace(hour=23)) == ["same"]


def test_the_order_of_keys_in_a_document_is_no_content(project, now):
    assert outcomes(project, [record("tool_call", "t", tool_input={"a": 1, "b": [1.0]})], now) == ["new"]
    assert outcomes(project, [record("tool_call", "t", tool_input={"b": [1.0], "a": 1})], now) == ["same"]
    assert outcomes(project, [record("tool_call", "t", tool_input={"b": [True], "a": 1})], now) == ["conflict"]


def test_values_come_back_as_they_went_in(project, now):
    content = "a\tb\\c\nd\re\\N\u2028 世界 🙂 'quoted' \"double\" %s"
    write(
        project,
        [
            record("message", "m-1", content=content, metadata={"n": 2**70, "f": 1e-9, "z": -0.0}),
            record("tool_call", "t-1", tool_input=None, tool_output={"b": 1, "a": None}, execution_time=0.1),
            record("metric", "x-1", metric_value=1.7976931348623157e308),
            record("error", "e-1", stack_trace="\\.\n"),
        ],
        now,
    )
    message, call = Message.objects.get(), ToolCall.objects.get()
    assert message.content == content
    assert message.metadata == {"n": 2**70, "f": 1e-9, "z": -0.0}
    assert (call.tool_input, list(call.tool_output), call.execution_time) == (None, ["b", "a"], 0.1)
    assert Metric.objects.get().metric_value == 1.7976931348623157e308
    assert ErrorRecord.objects.get().stack_trace == "\\.\n"


def test_a_large_text_is_stored_whole(project, now):
    content = "语" * 1_000_000
    assert outcomes(project, _messages("m-1", content=content), now) == ["new"]
    assert Message.objects.get().content == content


def test_unknown_sessions_are_created_with_their_activity(project, now):
    write(project, _messages("a", session_id="fresh"), now)
    session = Session.objects.get(session_id="fresh")
    assert (session.project, session.status) == (project, "active")
    assert session.activity.last_activity_at.isoformat() == "2026-03-01T12:00:00+00:00"
    assert session.created_at.isoformat() == "2026-03-01T12:00:00+00:00"


def test_unknown_sessions_are_rejected_where_none_may_be_created(project, now):
    write(project, _messages("a"), now)
    batch = [*_messages("b"), *_messages("c", session_id="unknown")]
    result = write(project, batch, now, create_sessions=False)
    assert [outcome.kind for outcome in result.outcomes] == ["new", "rejected"]
    assert result.outcomes[1].pointer == "/session_id"
    assert not Session.objects.filter(session_id="unknown").exists()


def test_all_or_none_stores_nothing_of_a_batch_with_a_conflict(project, now):
    write(project, _messages("a"), now)
    with pytest.raises(BatchRefused) as refused:
        write(project, [*_messages("b"), *_messages("a", content="other")], now, all_or_none=True)
    assert [outcome.kind for outcome in refused.value.outcomes] == ["new", "conflict"]
    assert _numbers() == [("a", 1)]
    assert _activity().last_sequence == 1


def test_activity_moves_with_the_newest_fact_but_not_into_the_future(project, now):
    write(project, [record("error", "e-1")], now)
    assert _activity().last_activity_at.isoformat() == "2026-03-01T12:00:00+00:00"
    write(project, [record("error", "e-2", timestamp="2020-01-01T00:00:00Z")], now)
    assert _activity().last_activity_at.isoformat() == "2026-03-01T12:00:00+00:00"
    write(project, [record("error", "e-3", timestamp="2999-01-01T00:00:00Z")], now)
    assert _activity().last_activity_at == now


def test_a_session_without_an_activity_row_is_given_one(project, now):
    Session.objects.create(project=project, session_id="s-1")
    assert outcomes(project, _messages("a"), now) == ["new"]
    assert _activity().last_sequence == 1


def test_a_response_joins_its_request_whichever_comes_first(project, now):
    request = record("llm_request", "q-1", provider="openai", metadata={"q": 1})
    response = record("llm_response", "p-1", model="gpt-4o-2024", metadata={"p": 1})
    for session_id, order in (("s-1", [request, response]), ("s-2", [response, request])):
        for raw in order:
            assert outcomes(project, [{**raw, "session_id": session_id}], now) == ["new"]
        assert outcomes(project, [{**raw, "session_id": session_id} for raw in order], now) == ["same", "same"]
    write(project, [{**response, "session_id": "s-3"}, {**request, "session_id": "s-3"}], now)
    rows = LLMCall.objects.values_list(
        "record_id", "response_record_id", "model", "provider", "metadata", "response_metadata", "response_time"
    )
    expected = ("q-1", "p-1", "gpt-4o", "openai", {"q": 1}, {"p": 1, "response.model": "gpt-4o-2024"}, 1.5)
    assert list(rows) == [expected] * 3


def test_a_second_response_to_a_request_is_a_conflict(project, now):
    write(project, [record("llm_request", "q-1"), record("llm_response", "p-1")], now)
    assert outcomes(project, [record("llm_response", "p-2")], now) == ["conflict"]
    assert LLMCall.objects.get().response_record_id == "p-1"


def test_a_request_without_a_request_id_is_joined_by_its_own(project, now):
    request = record("llm_request", "q-1")
    del request["request_id"]
    write(project, [request, record("llm_response", "p-1", request_id="q-1")], now)
    assert LLMCall.objects.get().answered


def test_a_tool_call_names_its_task_by_number_or_by_record_id(project, now):
    write(project, _messages("a"), now)
    session = Session.objects.get()
    task = Task.objects.create(project=project, session=session, record_id="task-1", user_input="Find it.")
    batch = [
        record("tool_call", "t-1", task=task.pk),
        record("tool_call", "t-2", task="task-1"),
        record("tool_call", "t-3", task=task.pk + 1),
        record("tool_call", "t-4", task=2**63),
        record("tool_call", "t-5", task="task-1", session_id="s-2"),
    ]
    assert outcomes(project, batch, now) == ["new", "new", "rejected", "rejected", "rejected"]
    assert outcomes(project, batch[:2], now) == ["same", "same"]
    assert set(task.tool_calls.values_list("record_id", flat=True)) == {"t-1", "t-2"}


def test_a_mixed_batch_is_stored_whole(project, now):
    batch = [record(kind, f"{kind}-{n}", request_id=f"call-{n}") for n in range(20) for kind in KINDS]
    for raw in batch:
        if raw["record_type"] not in ("llm_request", "llm_response"):
            del raw["request_id"]
    assert outcomes(project, batch, now) == ["new"] * len(batch)
    assert outcomes(project, batch, now) == ["same"] * len(batch)
    assert (Message.objects.count(), ToolCall.objects.count(), LLMCall.objects.count()) == (20, 20, 20)
    assert TIME == "2026-03-01T12:00:00Z"
