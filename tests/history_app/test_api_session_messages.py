"""A session's messages over the API: appended in order, one or many, and read by their numbers."""

import pytest

from history_app.models import Message
from sessions_app.models import Session

pytestmark = pytest.mark.django_db

PATH = "/api/sessions/s-1/messages/"


@pytest.fixture
def said(owner):
    """A session with ten messages of user and assistant in turn."""
    owner.post("/api/sessions/", {"session_id": "s-1"})
    roles = ("user", "assistant")
    messages = [{"role": roles[n % 2], "content": f"message {n + 1}", "record_id": f"m-{n + 1}"} for n in range(10)]
    answer = owner.post(PATH, messages)
    assert answer.status_code == 201
    return answer.json()


def _numbers(answer):
    assert answer.status_code == 200, answer.content
    return [row["sequence"] for row in answer.json()["results"]]


def test_a_list_of_messages_is_appended_in_its_order(owner, said):
    assert [row["sequence"] for row in said] == list(range(1, 11))
    assert [row["record_id"] for row in said] == [f"m-{n}" for n in range(1, 11)]
    assert _numbers(owner.get(PATH)) == list(range(1, 11))


def test_one_message_is_answered_as_one(owner, said):
    answer = owner.post(PATH, {"role": "system", "content": None})
    assert (answer.status_code, answer.json()["sequence"], answer.json()["content"]) == (201, 11, None)


def test_a_retried_list_is_not_stored_twice(owner, said):
    again = owner.post(PATH, [{**row, "content": row["content"]} for row in said])
    assert (again.status_code, again.json()) == (201, said)
    assert Message.objects.count() == 10


def test_a_list_with_a_conflict_is_not_stored_at_all(owner, said):
    fresh = {"role": "user", "content": "new", "record_id": "m-11"}
    answer = owner.post(PATH, [fresh, {"role": "user", "content": "other", "record_id": "m-3"}])
    assert answer.status_code == 409
    assert "/1" in answer.json()["detail"]
    assert Message.objects.count() == 10


def test_every_fault_of_a_list_is_named(owner, said):
    faults = [{"role": "user"}, {"role": "robot"}, "text", {"content": "x"}, {"role": "user", "session_id": "s-2"}]
    answer = owner.post(PATH, faults[:2] + faults[3:4])
    assert answer.status_code == 400
    assert [error["pointer"] for error in answer.json()["errors"]] == ["/1/role", "/2/role"]
    for place, fault in ((2, "/0"), (4, "/0/session_id")):
        answer = owner.post(PATH, [faults[place]])
        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, fault)
    assert Message.objects.count() == 10


def test_an_empty_list_appends_nothing(owner, said):
    assert owner.post(PATH, []).json() == []


@pytest.mark.parametrize(
    ("parameters", "numbers"),
    [
        ({"last": 3}, [8, 9, 10]),
        ({"last": 1000}, list(range(1, 11))),
        ({"last": 2, "before": 5}, [3, 4]),
        ({"last": 2, "role": "user"}, [7, 9]),
        ({"after": 7}, [8, 9, 10]),
        ({"before": 3}, [1, 2]),
        ({"after": 2, "before": 5}, [3, 4]),
        ({"role": "assistant"}, [2, 4, 6, 8, 10]),
        ({"ordering": "-sequence", "page_size": 2}, [10, 9]),
    ],
)
def test_a_window_of_the_messages(owner, said, parameters, numbers):
    assert _numbers(owner.get(PATH, parameters)) == numbers


def test_the_last_messages_lead_to_those_before_them(owner, said):
    page = owner.get(PATH, {"last": 4})
    seen = [_numbers(page)]
    while page.json()["previous"]:
        page = owner.get(page.json()["previous"])
        seen.append(_numbers(page))
    assert seen == [[7, 8, 9, 10], [3, 4, 5, 6], [1, 2]]


def test_pages_go_through_all_messages(owner, said):
    page = owner.get(PATH, {"page_size": 4})
    seen = _numbers(page)
    while page.json()["next"]:
        page = owner.get(page.json()["next"])
        seen += _numbers(page)
    assert seen == list(range(1, 11))


@pytest.mark.parametrize("parameters", [{"last": 0}, {"last": 1001}, {"last": "x"}, {"before": "x"}, {"role": "x"}])
def test_a_senseless_window_is_refused(owner, said, parameters):
    answer = owner.get(PATH, parameters)
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, f"/{next(iter(parameters))}")


@pytest.mark.parametrize("session_id", ["unknown", "%00"])
def test_the_messages_of_an_unknown_session_are_not_found(owner, said, session_id):
    assert owner.get(f"/api/sessions/{session_id}/messages/").status_code == 404
    assert owner.post(f"/api/sessions/{session_id}/messages/", {"role": "user"}).status_code == 404


def test_an_outsider_cannot_read_or_append(outsider, said):
    assert outsider.get(PATH).status_code == 404
    assert outsider.post(PATH, {"role": "user", "content": "x"}).status_code == 404
    assert Message.objects.count() == 10


def test_a_reader_sees_that_something_was_said_but_not_what(reader, said):
    rows = reader.get(PATH, {"last": 2}).json()["results"]
    assert [(row["role"], row["content"]) for row in rows] == [("user", "********"), ("assistant", "********")]
    assert reader.post(PATH, {"role": "user"}).status_code == 403


@pytest.mark.parametrize("session_id", ["a/b", "../..", "会 话", "s-1/messages"])
def test_a_session_of_any_id_has_messages(owner, session_id):
    owner.post("/api/sessions/", {"session_id": session_id})
    from urllib.parse import quote

    path = f"/api/sessions/{quote(session_id, safe='')}/messages/"
    assert owner.post(path, {"role": "user", "content": "x"}).json()["session_id"] == session_id
    assert _numbers(owner.get(path.rstrip("/"))) == [1]


def test_the_same_session_id_in_another_project_has_messages_of_its_own(owner, outsider, said):
    outsider.post("/api/sessions/", {"session_id": "s-1"})
    assert outsider.post(PATH, {"role": "user", "content": "ours"}).json()["sequence"] == 1
    assert len(_numbers(owner.get(PATH))) == 10
    assert Session.objects.filter(session_id="s-1").count() == 2


def test_reading_takes_a_fixed_number_of_queries(owner, said, django_assert_num_queries):
    owner.get(PATH)
    for parameters in ({}, {"last": 5}, {"page_size": 3}):
        with django_assert_num_queries(3):
            owner.get(PATH, parameters)
