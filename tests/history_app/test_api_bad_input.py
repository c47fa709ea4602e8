"""Bad input to history: a 4xx problem that names the field, the same on every database, and never a 500."""

import json

import pytest

from history_app.models import Message, ToolCall

pytestmark = pytest.mark.django_db

BEYOND = 2**63
CASES = [
    ("messages", {"role": 5}, "/role"),
    ("messages", {"role": None}, "/role"),
    ("messages", {"session_id": 5}, "/session_id"),
    ("messages", {"session_id": "x" * 256}, "/session_id"),
    ("messages", {"record_id": "x" * 256}, "/record_id"),
    ("messages", {"record_id": {}}, "/record_id"),
    ("messages", {"timestamp": "2026-13-01T00:00:00Z"}, "/timestamp"),
    ("messages", {"timestamp": "0999-01-01T00:00:00Z"}, "/timestamp"),
    ("messages", {"timestamp": True}, "/timestamp"),
    ("messages", {"metadata": []}, "/metadata"),
    ("messages", {"metadata": {"a": BEYOND}}, "/metadata/a"),
    ("messages", {"content": {"a": [-BEYOND - 1]}}, "/content/a/0"),
    ("messages", {"record_type": "error"}, "/record_type"),
    ("tool-calls", {"tool_name": "x" * 256}, "/tool_name"),
    ("tool-calls", {"tool_name": None}, "/tool_name"),
    ("tool-calls", {"task": "unknown"}, "/task"),
    ("tool-calls", {"task": -1}, "/task"),
    ("tool-calls", {"task": 2**62}, "/task"),
    ("tool-calls", {"status": "SUCCESS"}, "/status"),
    ("tool-calls", {"execution_time": "1"}, "/execution_time"),
    ("tool-calls", {"execution_time": -0.1}, "/execution_time"),
    ("tool-calls", {"error_message": ["x"]}, "/error_message"),
    ("llm-calls", {"request_id": 5}, "/request_id"),
    ("llm-calls", {"request_id": ""}, "/request_id"),
    ("llm-calls", {"provider": "x" * 101}, "/provider"),
    ("llm-calls", {"response_time": -1}, "/response_time"),
    ("llm-calls", {"responded_at": "soon"}, "/responded_at"),
    ("llm-calls", {"response_record_id": 5}, "/response_record_id"),
    ("llm-calls", {"response": "x", "response_metadata": 5}, "/response_metadata"),
    ("token-usage", {"total_tokens": -1}, "/total_tokens"),
    ("token-usage", {"total_tokens": 10**12 + 1}, "/total_tokens"),
    ("token-usage", {"total_tokens": BEYOND}, "/total_tokens"),
    ("token-usage", {"prompt_tokens": 0.5}, "/prompt_tokens"),
    ("token-usage", {"completion_tokens": False}, "/completion_tokens"),
    ("token-usage", {"cache_read_tokens": "1"}, "/cache_read_tokens"),
    ("token-usage", {"reported_cost": "one"}, "/reported_cost"),
    ("token-usage", {"reported_cost": "1e400"}, "/reported_cost"),
    ("token-usage", {"reported_cost": True}, "/reported_cost"),
    ("token-usage", {"source": "x" * 33}, "/source"),
    ("token-usage", {"user_id": "x" * 256}, "/user_id"),
    ("errors", {"error_type": ""}, "/error_type"),
    ("errors", {"severity": "fatal"}, "/severity"),
    ("errors", {"error_id": "x" * 256}, "/error_id"),
    ("errors", {"stack_trace": {}}, "/stack_trace"),
    ("metrics", {"metric_type": None}, "/metric_type"),
    ("metrics", {"metric_value": "2"}, "/metric_value"),
    ("metrics", {"metric_value": None}, "/metric_value"),
    ("tasks", {"user_input": None}, "/user_input"),
    ("tasks", {"record_id": ""}, "/record_id"),
    ("tasks", {"subtasks": {}}, "/subtasks"),
    ("tasks", {"subtasks": [{"description": "x", "subtask_index": -1}]}, "/subtasks/0/subtask_index"),
    ("tasks", {"subtasks": [{"description": "x", "subtask_index": 2**31}]}, "/subtasks/0/subtask_index"),
    ("tasks", {"metadata": "x"}, "/metadata"),
    ("subtasks", {"task": None}, "/task"),
    ("subtasks", {"task": "1"}, "/task"),
]
GOOD = {
    "messages": {"role": "user", "content": "x"},
    "tool-calls": {"tool_name": "t"},
    "llm-calls": {"model": "m"},
    "token-usage": {"model": "m"},
    "errors": {"error_type": "E"},
    "metrics": {"metric_type": "m", "metric_value": 1},
    "tasks": {"user_input": "x"},
    "subtasks": {"description": "x"},
}


@pytest.fixture
def session(owner):
    return owner.post("/api/sessions/", {"session_id": "s-1"}).json()


def _body(kind, fields):
    where = {} if kind == "subtasks" else {"session_id": "s-1"}
    return {**where, **GOOD[kind], **fields}


@pytest.mark.parametrize(("kind", "fields", "pointer"), CASES, ids=lambda value: str(value)[:50])
def test_a_bad_value_is_a_problem_that_names_its_field(owner, session, kind, fields, pointer):
    answer = owner.post(f"/api/{kind}/", _body(kind, fields))
    assert (answer.status_code, answer["Content-Type"]) == (400, "application/problem+json"), answer.content
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]


@pytest.mark.parametrize("kind", list(GOOD))
@pytest.mark.parametrize("body", ["[]", '"x"', "5", "null", "{", "", "nul", '{"a": 1}x'])
def test_a_body_that_is_no_object_is_refused(owner, session, kind, body):
    assert owner.post(f"/api/{kind}/", body).status_code == 400


@pytest.mark.parametrize("kind", list(GOOD))
def test_another_content_type_is_refused(owner, session, kind):
    assert owner.post(f"/api/{kind}/", "<x/>", content_type="text/xml").status_code == 415


@pytest.mark.parametrize("kind", ["messages", "tool-calls", "errors", "metrics"])
def test_what_is_nested_too_deep_is_refused(owner, session, kind):
    deep = "[" * 100_000 + "]" * 100_000
    body = json.dumps(_body(kind, {"metadata": {"a": 0}})).replace('{"a": 0}', f'{{"a": {deep}}}')
    assert owner.post(f"/api/{kind}/", body).status_code == 400


def test_what_cannot_be_stored_is_replaced_and_counted(owner, session):
    body = '{"session_id": "s-1", "tool_name": "t\\u0000", "tool_output": {"k\\ud800": [NaN, -Infinity, "\\u0000"]}}'
    answer = owner.post("/api/tool-calls/", body)
    assert (answer.status_code, answer["X-Replaced-Characters"], answer["X-Replaced-Numbers"]) == (201, "3", "2")
    assert answer.json()["tool_output"] == {"k\ufffd": [None, None, "\ufffd"]}
    assert ToolCall.objects.get().tool_name == "t\ufffd"


@pytest.mark.parametrize(
    ("address", "body", "pointer"),
    [
        ("/api/messages/", r'{"session_id": "s-1", "role": "user", "record_id": "a%s"}', "/record_id"),
        ("/api/sessions/s-1/messages/", r'{"role": "user", "record_id": "a%s"}', "/record_id"),
        ("/api/sessions/s-1/messages/", r'[{"role": "user"}, {"role": "user", "record_id": "a%s"}]', "/1/record_id"),
        ("/api/llm-calls/", r'{"session_id": "s-1", "model": "m", "request_id": "a%s"}', "/request_id"),
        ("/api/sessions/", r'{"session_id": "a%s"}', "/session_id"),
    ],
)
@pytest.mark.parametrize("unstorable", [r"\u0000", r"\ud800"])
@pytest.mark.usefixtures("session")
def test_an_id_is_refused_that_would_have_to_be_altered(owner, address, body, pointer, unstorable):
    answer = owner.post(address, body % unstorable)
    assert (answer.status_code, [error["pointer"] for error in answer.json()["errors"]]) == (400, [pointer])
    assert not Message.objects.exists()


def test_a_record_over_the_limit_is_too_large(owner, session, settings):
    settings.MAX_RECORD_BYTES = 1000
    answer = owner.post("/api/messages/", _body("messages", {"content": "语" * 400}))
    assert answer.status_code == 413
    assert not Message.objects.exists()


@pytest.mark.parametrize("number", ["0", "999999999999999999", "x", "-1", "1.5", "9" * 30])
@pytest.mark.parametrize("kind", list(GOOD))
def test_a_senseless_number_is_not_found(owner, session, kind, number):
    assert owner.get(f"/api/{kind}/{number}/").status_code == 404


@pytest.mark.parametrize(
    "parameters",
    [{"task": "x"}, {"task": str(BEYOND)}, {"start": "0001-01-01T00:00:00Z"}, {"tool_name": "\x00"}, {"status": ""}],
)
def test_a_senseless_filter_is_refused(owner, session, parameters):
    assert owner.get("/api/tool-calls/", parameters).status_code == 400
