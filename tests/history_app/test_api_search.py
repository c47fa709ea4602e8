"""Searching over the API: a part of what was said, found at once, marked, within the walls, and never behind a mask."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from history_app.models import Message, ToolCall
from history_app.services.search_index.filling import search_index_fill
from tests.factories import make_session
from tests.history_app.records import record, write

pytestmark = pytest.mark.django_db


def at(seconds):
    return (datetime(2026, 3, 1, 12, tzinfo=UTC) + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")


def message(record_id, content, seconds=0, session_id="s-1", **fields):
    stated = {"content": content, "timestamp": at(seconds), **fields}
    return record("message", record_id, session_id=session_id) | stated


def tool_call(record_id, seconds=0, session_id="s-1", **fields):
    return record("tool_call", record_id, session_id=session_id) | {"timestamp": at(seconds), **fields}


@pytest.fixture
def talk(project, now):
    """Two sessions in which people and tools speak of refunds."""
    make_session(session_id="s-1", user_id="ann")
    make_session(session_id="s-2", user_id="bob")
    records = [
        message("m-1", "I want a REFUND <now> & here", 1, role="user"),
        message("m-2", "你的订单已退款", 2, role="assistant"),
        tool_call("t-1", 3, tool_input={"reason": "refund"}, tool_output='say "退款"\nagain', tool_name="pay"),
        message("m-3", "no money back", 4, role="assistant"),
        message("m-4", "another refund", 5, session_id="s-2", role="user"),
    ]
    write(project, records, now)


def found(answer):
    assert answer.status_code == 200, answer.content
    return [row["record_id"] for row in answer.json()["results"]]


def test_a_part_of_a_text_is_found_newest_first_in_messages_and_tool_calls(agent, talk):
    assert found(agent.get("/api/search/", {"q": "reFUND"})) == ["m-4", "t-1", "m-1"]
    assert found(agent.get("/api/search", {"q": "退款"})) == ["t-1", "m-2"]


def test_an_answer_says_where_it_was_said_and_marks_it_safely_for_html(agent, talk):
    (hit,) = agent.get("/api/search/", {"q": "refund <"}).json()["results"]
    assert hit == {
        "record_type": "message",
        "record_id": "m-1",
        "session_id": "s-1",
        "timestamp": "2026-03-01T12:00:01Z",
        "snippet": "I want a <mark>REFUND &lt;</mark>now&gt; &amp; here",
    }


@pytest.mark.parametrize(
    ("narrower", "expected"),
    [
        ({"session_id": "s-2"}, ["m-4"]),
        ({"session_id": "nowhere"}, []),
        ({"user_id": "ann"}, ["t-1", "m-1"]),
        ({"user_id": "ann", "session_id": "s-2"}, []),
        ({"record_type": "message"}, ["m-4", "m-1"]),
        ({"record_type": ["tool_call", "message"]}, ["m-4", "t-1", "m-1"]),
        ({"start": at(3)}, ["m-4", "t-1"]),
        ({"start": at(1), "end": at(3)}, ["m-1"]),
    ],
)
@pytest.mark.parametrize("indexed", [True, False])
def test_a_search_is_narrowed_by_session_user_type_and_time(agent, talk, narrower, expected, indexed):
    if indexed:
        _index()
    assert found(agent.get("/api/search/", {"q": "refund", **narrower})) == expected


def test_pages_follow_one_another_without_a_gap(agent, talk):
    read, address = [], "/api/search/?q=refund&page_size=1"
    while address:
        answer = agent.get(address)
        read += found(answer)
        address = answer.json()["next"]
    assert read == ["m-4", "t-1", "m-1"]


def test_a_message_is_found_the_moment_its_write_is_answered(agent, talk):
    _index()
    agent.post("/api/sessions/s-1/messages/", {"role": "user", "content": "Where is my parcel?", "record_id": "new"})
    assert found(agent.get("/api/search/", {"q": "PARCEL?"})) == ["new"]


def test_an_edited_text_is_found_by_what_it_says_now_and_a_removed_one_not_at_all(operator, talk):
    _index()
    address = {row.record_id: f"/api/messages/{row.pk}/" for row in Message.objects.all()}
    assert operator.patch(address["m-3"], {"content": "a full refund"}).status_code == 200
    assert operator.patch(address["m-1"], {"content": "never mind"}).status_code == 200
    assert operator.delete(address["m-4"]).status_code == 204
    call = ToolCall.objects.get()
    assert operator.patch(f"/api/tool-calls/{call.pk}/", {"tool_input": {"reason": "none"}}).status_code == 200
    for _time in range(2):
        assert found(operator.get("/api/search/", {"q": "refund"})) == ["m-3"]
        _index()


def test_another_projects_records_are_not_there(outsider, talk):
    assert found(outsider.get("/api/search/", {"q": "refund"})) == []
    assert found(outsider.get("/api/search/", {"q": "refund", "session_id": "s-1"})) == []
    assert found(outsider.get("/api/messages/", {"q": "refund"})) == []


ADDRESSES = ["/api/search/", "/api/messages/", "/api/tool-calls/", "/api/sessions/s-1/messages/"]


@pytest.mark.parametrize("address", ADDRESSES)
def test_who_sees_contents_masked_cannot_guess_them_by_searching(reader, talk, address):
    for query in ("refund", "nowhere to be found"):
        answer = reader.get(address, {"q": query})
        assert answer.status_code == 403
        assert "results" not in answer.json()


@pytest.mark.parametrize(
    ("parameters", "name"),
    [
        ({}, "q"),
        ({"q": ""}, "q"),
        ({"q": "x" * 1001}, "q"),
        ({"q": ["a", "b"]}, "q"),
        ({"q": "a", "record_type": "error"}, "record_type"),
        ({"q": "a", "start": "yesterday"}, "start"),
        ({"q": "a", "page_size": "0"}, "page_size"),
        ({"q": "a", "cursor": "forged"}, "cursor"),
        ({"q": "a", "count": "true"}, "count"),
        ({"q": "a", "role": "user"}, "role"),
    ],
)
def test_bad_input_names_the_parameter(agent, talk, parameters, name):
    answer = agent.get("/api/search/", parameters)
    assert answer.status_code == 400
    assert [error["pointer"] for error in answer.json()["errors"]] == [f"/{name}"]


STRANGE = "a%_'\"\\\n𝒳 b"


@pytest.mark.parametrize("address", ADDRESSES)
def test_strange_texts_are_searched_for_like_any_other(agent, project, now, address):
    write(project, [message("m-1", STRANGE), tool_call("t-1", tool_output=STRANGE)], now)
    expected = {"/api/search/": {"m-1", "t-1"}, "/api/tool-calls/": {"t-1"}}.get(address, {"m-1"})
    for query in ("%", "_", "'", '"', "\\", "%_'\"\\\n𝒳", "\ud7ff\uffff", "𝒳", "\n", " ", "%%", "a%b"):
        assert set(found(agent.get(address, {"q": query}))) == (expected if query in STRANGE else set())


@pytest.mark.parametrize("address", ADDRESSES)
def test_a_nul_character_is_found_nowhere_or_refused(agent, talk, address):
    answer = agent.get(address, {"q": "a\x00b"})
    assert answer.status_code == 400 or found(answer) == []


def test_a_list_is_searched_within_its_other_filters(agent, talk):
    assert found(agent.get("/api/messages/", {"q": "refund"})) == ["m-4", "m-1"]
    assert found(agent.get("/api/messages/", {"q": "refund", "session_id": "s-1"})) == ["m-1"]
    assert found(agent.get("/api/messages/", {"q": "refund", "role": "assistant"})) == []
    assert found(agent.get("/api/messages/", {"q": "refund", "start": at(2)})) == ["m-4"]
    assert found(agent.get("/api/tool-calls/", {"q": 'SAY "退', "tool_name": "pay"})) == ["t-1"]
    assert found(agent.get("/api/tool-calls/", {"q": "refund", "tool_name": "other"})) == []


def test_a_searched_list_goes_on_from_page_to_page(agent, talk):
    first = agent.get("/api/messages/", {"q": "refund", "page_size": 1})
    assert found(first) == ["m-4"]
    second = agent.get(first.json()["next"])
    assert (found(second), second.json()["next"], second.json()["previous"]) == (["m-1"], None, None)


@pytest.mark.parametrize("more", [{"ordering": "timestamp"}, {"count": "true"}])
def test_a_searched_list_says_what_it_cannot_do(agent, talk, more):
    answer = agent.get("/api/messages/", {"q": "refund", **more})
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["pointer"] == f"/{next(iter(more))}"


@pytest.fixture
def long_talk(project, now):
    """A session of 250 messages of which every third holds the word."""
    said = [message(f"m-{n}", f"number {n}" + (" İt's a Refund" if n % 3 == 0 else ""), n) for n in range(1, 251)]
    write(project, said, now)


def test_a_sessions_messages_are_searched_in_their_order_forwards_and_backwards(agent, long_talk):
    first = agent.get("/api/sessions/s-1/messages/", {"q": "REFUND", "page_size": 40})
    second = agent.get(first.json()["next"])
    third = agent.get(second.json()["next"])
    assert found(first) + found(second) + found(third) == [f"m-{n}" for n in range(3, 251, 3)]
    assert third.json()["next"] is None
    assert found(agent.get(third.json()["previous"])) == found(second)


def test_a_sessions_messages_are_searched_within_the_window_that_the_other_filters_leave(agent, long_talk):
    address = "/api/sessions/s-1/messages/"
    assert found(agent.get(address, {"q": "refund", "before": 8})) == ["m-3", "m-6"]
    assert found(agent.get(address, {"q": "refund", "after": 245})) == ["m-246", "m-249"]
    assert found(agent.get(address, {"q": "refund", "last": 2})) == ["m-246", "m-249"]
    # The dotted I becomes two characters in lower case; whoever looks for either finds it.
    assert len(found(agent.get(address, {"q": "i\u0307t's", "page_size": 1000}))) == 83
    assert agent.get(address, {"q": "refund", "count": "true"}).status_code == 400


@pytest.mark.parametrize("address", ADDRESSES)
def test_the_number_of_queries_does_not_grow_with_what_is_found(agent, project, now, address):
    agent.get(address, {"q": "the key's first use is noted"})
    counts = []
    for total in (3, 60):
        write(project, [message(f"m-{total}-{n}", "refund", n) for n in range(total)], now)
        write(project, [tool_call(f"t-{total}-{n}", n, tool_output="refund") for n in range(total)], now)
        with CaptureQueriesContext(connection) as queries:
            assert len(found(agent.get(address, {"q": "refund", "page_size": 200}))) >= total
        counts.append(len(queries))
    assert counts[0] == counts[1]


def _index():
    """Bring the index up to date; on MariaDB what is new must age first."""
    for days in (0, 1):
        search_index_fill(now=timezone.now() + timedelta(days=days + _index.calls), least=1)
    _index.calls += 2


_index.calls = 0
