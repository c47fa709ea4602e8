"""An agent's turn: the next state and its records in one request, all or none, and safe to send again."""

import json
from decimal import Decimal

import pytest

from history_app.models import Message, TokenUsage, ToolCall
from sessions_app.models import SessionActivity, SessionState
from tests.factories import make_session

pytestmark = pytest.mark.django_db
TURN = "/api/sessions/s1/turn/"
STATE = {"current_step": "ask", "iteration_count": 1, "data": {"plan": ["ask"]}}
TOKENS = {"model": "gpt-4o", "prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120}
RECORDS = [
    {"record_type": "message", "record_id": "m1", "role": "user", "content": "Where is it?"},
    {"record_type": "tool_call", "record_id": "t1", "tool_name": "track", "status": "pending"},
    {"record_type": "token_usage", "record_id": "u1", **TOKENS},
    {"record_type": "cost", "record_id": "c1", **TOKENS, "total_cost": "0.004"},
]


@pytest.fixture
def session(project):
    return make_session(project=project, session_id="s1")


def _counts():
    return SessionState.objects.count(), Message.objects.count(), TokenUsage.objects.count()


def test_a_turn_stores_state_records_and_their_cost(agent, session):
    answer = agent.post(TURN, {"expected_version": 0, "state": STATE, "records": RECORDS})
    body = answer.json()
    assert (answer.status_code, answer["ETag"]) == (200, '"1"')
    assert (body["version"], body["accepted"], body["duplicates"], body["replayed"]) == (1, 4, 0, False)
    assert {name: body["state"][name] for name in STATE} == STATE
    assert agent.get("/api/sessions/s1/state/").json() == body["state"]
    assert ToolCall.objects.get().status == "pending"
    assert TokenUsage.objects.get().cost == Decimal("0.004")
    assert SessionActivity.objects.get(pk=session.pk).message_count == 1
    answer = agent.post(TURN, {"expected_version": 1, "state_patch": {"data": {"told": True}}, "records": []})
    assert answer.json()["state"]["data"] == {"plan": ["ask"], "told": True}
    assert answer.json()["state"]["current_step"] == "ask"


def test_a_turn_that_is_too_late_stores_nothing(agent, session):
    agent.post(TURN, {"expected_version": 0, "state": STATE})
    for late in ({"expected_version": 0}, {"expected_version": 7}):
        answer = agent.post(TURN, {**late, "state": {"current_step": "late"}, "records": RECORDS})
        assert (answer.status_code, answer.json()["current_version"]) == (412, 1)
    assert agent.get("/api/sessions/s1/state/").json()["current_step"] == "ask"
    assert _counts() == (1, 0, 0)


@pytest.mark.parametrize(
    ("bad", "pointer", "status"),
    [
        ({"record_type": "message", "role": "oracle", "content": "x"}, "/records/4/role", 400),
        ({"record_type": "token_usage", "model": "m", "total_tokens": -1}, "/records/4/total_tokens", 400),
        ({"record_type": "message", "role": "user", "session_id": "s2"}, "/records/4/session_id", 400),
        ({"record_type": "riddle"}, "/records/4/record_type", 400),
        ("text", "/records/4", 400),
        ({**RECORDS[0], "record_id": "old", "content": "Another one"}, None, 409),
    ],
)
def test_one_bad_record_keeps_the_whole_turn_out(agent, session, bad, pointer, status):
    agent.post("/api/sessions/s1/messages/", {"record_id": "old", "role": "user", "content": "First"})
    answer = agent.post(TURN, {"expected_version": 0, "state": STATE, "records": [*RECORDS, bad]})
    problem = answer.json()
    assert answer.status_code == status, problem
    if pointer:
        assert pointer in [error["pointer"] for error in problem["errors"]]
    else:
        assert "/records/4" in problem["detail"]
    assert _counts() == (0, 1, 0)
    assert SessionActivity.objects.get(pk=session.pk).last_sequence == 1


def test_a_bad_state_keeps_the_records_out(agent, session, settings):
    settings.MAX_STATE_BYTES = 100
    for state, pointer in (({"errors": {}}, "/state/errors"), ({"step": 1}, "/state/step"), ([], "/state")):
        answer = agent.post(TURN, {"expected_version": 0, "state": state, "records": RECORDS})
        assert answer.status_code == 400
        assert answer.json()["errors"][0]["pointer"].startswith(pointer)
    answer = agent.post(TURN, {"expected_version": 0, "state": {"data": {"x": "y" * 100}}, "records": RECORDS})
    assert answer.status_code == 413
    assert _counts() == (0, 0, 0)


def test_a_turn_says_its_version_and_one_state(agent, session):
    assert agent.post(TURN, {"state": STATE}).status_code == 428
    assert agent.post(TURN, {"expected_version": 0}).json()["errors"][0]["pointer"] == "/state"
    both = {"expected_version": 0, "state": STATE, "state_patch": STATE}
    assert agent.post(TURN, both).json()["errors"][0]["pointer"] == "/state"
    answer = agent.post(TURN, {"expected_version": 1, "state": STATE}, headers={"If-Match": '"2"'})
    assert answer.json()["errors"][0]["pointer"] == "/expected_version"
    answer = agent.post(TURN, {"expected_version": 0, "state": STATE, "turn_id": "x" * 201})
    assert answer.json()["errors"][0]["pointer"] == "/turn_id"
    assert agent.post(TURN, {"state": STATE}, headers={"If-None-Match": "*"}).status_code == 200
    assert agent.post(TURN, {"state": STATE}, headers={"If-Match": '"1"'}).json()["version"] == 2


def test_a_turn_of_somebody_else_is_not_found(agent, outsider, reader, session):
    body = {"expected_version": 0, "state": STATE, "records": RECORDS}
    assert outsider.post(TURN, body).status_code == 404
    assert reader.post(TURN, body).status_code == 403
    assert agent.post("/api/sessions/nowhere/turn/", body).status_code == 404
    assert _counts() == (0, 0, 0)


def test_a_turn_of_an_agent_whose_lease_is_over_stores_nothing(agent, session):
    beat = "/api/sessions/s1/heartbeat/"
    old = agent.post(beat, {"agent_id": "old"}).json()["fence"]
    agent.post(beat, {"agent_id": "new"})
    body = {"expected_version": 0, "state": STATE, "records": RECORDS}
    assert agent.post(TURN, body, headers={"X-Fencing-Token": str(old)}).status_code == 409
    assert _counts() == (0, 0, 0)


UNNAMED = [{key: value for key, value in record.items() if key != "record_id"} for record in RECORDS]


@pytest.mark.parametrize("records", [RECORDS, UNNAMED], ids=["with ids", "without ids"])
@pytest.mark.parametrize("way", ["state", "state_patch"])
def test_a_turn_whose_answer_got_lost_is_sent_again(agent, session, records, way):
    agent.post(TURN, {"expected_version": 0, "state": {"data": {"before": 1}}})
    body = {"expected_version": 1, "turn_id": "turn-2", way: STATE, "records": records}
    first = agent.post(TURN, body).json()
    assert first["accepted"] == 4
    again = agent.post(TURN, body)
    assert again.status_code == 200
    assert again.json() == {**first, "replayed": True, "accepted": 0, "duplicates": 4}
    # Also after somebody else has gone on.
    agent.post(TURN, {"expected_version": 2, "state": {"current_step": "on"}})
    assert agent.post(TURN, body).json()["version"] == 2
    assert agent.get("/api/sessions/s1/state/").json()["version"] == 3
    assert _counts() == (3, 1, 1)


@pytest.mark.parametrize(
    "other",
    [
        {"state": {"current_step": "other"}},
        {"expected_version": 1},
        {"records": [*RECORDS, {"record_type": "message", "role": "user", "content": "One more"}]},
        {"records": [{**RECORDS[0], "content": "Something else"}, *RECORDS[1:]]},
    ],
    ids=["state", "version", "more records", "other record"],
)
def test_another_turn_under_a_used_id_is_a_conflict(agent, session, other):
    body = {"expected_version": 0, "turn_id": "turn-1", "state": STATE, "records": RECORDS}
    assert agent.post(TURN, body).status_code == 200
    assert agent.post(TURN, {**body, **other}).status_code == 409
    assert _counts() == (1, 1, 1)


def test_without_a_turn_id_the_stored_records_tell_whose_write_it_is(agent, session):
    body = {"expected_version": 0, "state": STATE, "records": RECORDS}
    agent.post(TURN, body)
    answer = agent.post(TURN, body)
    assert (answer.status_code, answer.json()["current_version"]) == (412, 1)
    mine = agent.get("/api/sessions/s1/messages/", {"last": 1}).json()["results"][0]
    assert mine["record_id"] == "m1"


def test_an_idempotency_key_answers_the_same_again(agent, session):
    body = {"expected_version": 0, "state": STATE, "records": UNNAMED}
    first = agent.post(TURN, body, headers={"Idempotency-Key": "k1"})
    again = agent.post(TURN, body, headers={"Idempotency-Key": "k1"})
    assert (again.status_code, again.content) == (200, first.content)
    assert again["Idempotency-Replayed"] == "true"
    assert _counts() == (1, 1, 1)


@pytest.mark.parametrize("size", [1, 40])
def test_a_turn_takes_as_many_queries_for_many_records(agent, session, size, django_assert_max_num_queries):
    said = [{"record_type": "message", "role": "user", "content": str(number)} for number in range(size)]
    with django_assert_max_num_queries(32):
        answer = agent.post(TURN, {"expected_version": 0, "turn_id": "t", "state": STATE, "records": said})
    assert json.loads(answer.content)["accepted"] == size
