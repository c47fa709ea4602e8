"""The live tail over the API: where it begins, what it shows and to whom. What comes live is in tests/flows."""

import gc
import json

import pytest
from django.core.signals import request_finished
from django.db import close_old_connections

from tests.factories import make_session
from tests.history_app.event_streams import parsed
from tests.history_app.records import record, write

pytestmark = pytest.mark.django_db

PATH = "/api/sessions/s-1/events/"
TYPES = ("message", "tool_call", "error", "metric")


@pytest.fixture
def day(project, now):
    """Some records in `s-1`, and one elsewhere."""
    day = [record(kind, f"{kind}-{turn}") for turn in range(3) for kind in TYPES]
    write(project, [*day, record("message", "elsewhere", session_id="s-2")], now)
    return [(found["record_type"], found["record_id"]) for found in day]


def events(answer, number):
    """Return the first events of a stream, and hang up."""
    assert answer.status_code == 200, answer.content
    chunks = (chunk.decode() for chunk in answer.streaming_content)
    found = parsed(line for chunk in chunks for line in chunk.split("\n")[:-1])
    try:
        return [next(found) for _ in range(number)]
    finally:
        hang_up(answer)


def hang_up(answer):
    """End the stream as the server would, but keep the test's own connection to the database."""
    # The test client's own wrapper does so for a stream that has begun, and connects the signal again.
    answer._iterator.close()
    request_finished.disconnect(close_old_connections)
    answer.close()
    request_finished.connect(close_old_connections)


def first_id(client, **parameters):
    return events(client.get(PATH, parameters), 1)[0].id


def test_the_tail_from_the_start_shows_each_record_as_the_timeline_does(owner, day):
    found = events(owner.get(PATH, {"from": "start"}), 1 + len(day))[1:]
    assert sorted(event.key for event in found) == sorted(day)
    shown = {row["record_id"]: row for row in owner.get("/api/sessions/s-1/timeline/").json()["results"]}
    assert {event.data["record_id"]: event.data for event in found} == shown


def test_it_says_what_it_is_and_that_nobody_may_keep_it(owner, day):
    answer = owner.get(PATH)
    assert answer["Content-Type"] == "text/event-stream"
    assert answer["Cache-Control"] == "no-store"
    assert answer["X-Accel-Buffering"] == "no"
    assert "Content-Length" not in answer
    hang_up(answer)


def test_head_shows_the_headers_and_opens_nothing(owner, day):
    answer = owner.head(PATH)
    assert (answer.status_code, answer["Content-Type"], answer.content) == (200, "text/event-stream", b"")
    assert not answer.streaming


def test_it_goes_on_after_the_last_event_that_was_received(owner, day):
    whole = events(owner.get(PATH, {"from": "start"}), 1 + len(day))[1:]
    for place in (0, 4, len(day) - 2):
        answer = owner.get(PATH, headers={"Last-Event-ID": whole[place].id})
        rest = events(answer, len(day) - place)
        assert [event.key for event in rest[1:]] == [event.key for event in whole[place + 1 :]]


def test_without_a_position_it_begins_now_and_says_where_that_is(owner, project, now, day):
    position = first_id(owner)
    write(project, [record("error", "late")], now)
    opened, event = events(owner.get(PATH, headers={"Last-Event-ID": position}), 2)
    assert (opened.id, event.key) == (position, ("error", "late"))
    assert first_id(owner, **{"from": "now"}) == event.id


def test_the_position_wins_over_the_address(owner, project, now, day):
    position = first_id(owner)
    write(project, [record("error", "late")], now)
    answer = owner.get(PATH, {"from": "start"}, headers={"Last-Event-ID": position})
    assert events(answer, 2)[1].key == ("error", "late")


def test_some_types_only(owner, day):
    answer = owner.get(f"{PATH}?from=start&record_type=error&record_type=metric")
    expected = [key for key in day if key[0] in ("error", "metric")]
    assert sorted(event.key for event in events(answer, 1 + len(expected))[1:]) == sorted(expected)


def test_a_long_session_is_read_page_by_page(owner, project, now):
    write(project, [record("message", f"m-{n}") for n in range(250)], now)
    found = events(owner.get(PATH, {"from": "start"}), 251)[1:]
    assert [event.data["sequence"] for event in found] == list(range(1, 251))


def test_line_breaks_in_what_is_stored_do_not_break_an_event(owner, project, now):
    text = "one\ntwo\r\nthree\n\ndata: no\u2028event: end"
    write(project, [record("message", "m-1", content=text, metadata={"k": text})], now)
    [event] = events(owner.get(PATH, {"from": "start"}), 2)[1:]
    assert (event.data["content"], event.data["metadata"]) == (text, {"k": text})


def test_a_large_document_is_shown_by_its_beginning(owner, project, now):
    write(project, [record("tool_call", "t-1", tool_output="long " * 1000)], now)
    [event] = events(owner.get(PATH, {"from": "start"}), 2)[1:]
    assert event.data["truncated"] is True
    assert len(event.data["tool_output"]) <= 2000


def test_a_reader_sees_contents_masked(reader, day):
    found = events(reader.get(PATH, {"from": "start"}), 1 + len(day))[1:]
    message = next(event.data for event in found if event.name == "message")
    assert (message["content"], message["role"]) == ("********", "user")
    error = next(event.data for event in found if event.name == "error")
    assert error["error_message"] == "********"


def test_an_analyst_with_a_browser_sees_contents_masked(analyst, day):
    answer = analyst.get(f"{PATH}?from=start")
    assert next(event.data for event in events(answer, 4) if event.name == "message")["content"] == "********"


def test_an_outsider_cannot_see_it(outsider, anonymous, day):
    assert outsider.get(PATH).status_code == 404
    assert outsider.get(PATH, headers={"Last-Event-ID": "x"}).status_code == 404
    assert anonymous.get(PATH).status_code == 401


def test_a_session_that_is_not_there_has_no_tail(owner, project):
    answer = owner.get(PATH)
    assert (answer.status_code, answer["Content-Type"]) == (404, "application/problem+json")


@pytest.mark.parametrize("bad", ["x", "1", "0-0", "-1", "1-0-0-0-0-0-0-0-0-0-0", "1-" * 400])
def test_what_is_no_position_is_refused(owner, day, bad):
    answer = owner.get(PATH, headers={"Last-Event-ID": bad})
    assert answer.status_code == 400
    assert "Last-Event-ID" in json.dumps(answer.json())


def test_a_position_of_another_session_is_refused(owner, day):
    other = events(owner.get("/api/sessions/s-2/events/"), 1)[0].id
    answer = owner.get(PATH, headers={"Last-Event-ID": other})
    assert (answer.status_code, "another session" in answer.json()["detail"]) == (400, True)


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ("from=yesterday", "/from"),
        ("from=", "/from"),
        ("from=now&from=start", "/from"),
        ("record_type=thought", "/record_type"),
        ("last=3", "/last"),
    ],
)
def test_a_bad_parameter_is_named(owner, day, query, pointer):
    answer = owner.get(f"{PATH}?{query}")
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, pointer)


def test_other_methods_are_not_allowed(owner, day):
    for method in (owner.post, owner.put, owner.patch, owner.delete):
        assert method(PATH).status_code == 405


def test_more_than_there_is_room_for_are_asked_to_come_back(owner, day, settings):
    settings.EVENT_CONNECTIONS = 2
    first, second = owner.get(PATH), owner.get(PATH)
    refused = owner.get(PATH)
    assert (refused.status_code, refused["Retry-After"]) == (503, "5")
    assert owner.head(PATH).status_code == 200
    assert owner.get("/api/sessions/s-1/timeline/").status_code == 200
    hang_up(first)
    hang_up(first)
    third = owner.get(PATH)
    assert third.status_code == 200
    assert owner.get(PATH).status_code == 503
    for answer in (second, third):
        hang_up(answer)


def test_a_stream_that_nobody_began_to_read_gives_its_room_back(owner, day, settings):
    settings.EVENT_CONNECTIONS = 1
    for _ in range(3):
        answer = owner.get(PATH)
        assert answer.status_code == 200
        del answer
        gc.collect()


def test_an_empty_session_has_a_tail(owner, project):
    make_session(session_id="s-1")
    assert first_id(owner, **{"from": "start"}).endswith("-0-0-0-0-0-0-0-0-0")
