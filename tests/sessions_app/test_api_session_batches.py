"""Many sessions in one call: all of them, or none."""

import pytest

from sessions_app.models import Session
from tests.factories import make_message, make_session

pytestmark = pytest.mark.django_db
SAVE, DELETE = "/api/sessions/batch/", "/api/sessions/batch-delete/"


def test_a_batch_creates_and_replaces(agent, project):
    make_session(project=project, session_id="old", title="Before", metadata={"a": 1})
    body = {"sessions": [{"session_id": "new", "tags": ["x"]}, {"session_id": "old", "title": "After"}]}
    answer = agent.post(SAVE, body)
    assert answer.status_code == 200
    assert answer.json()["sessions"] == [
        {"session_id": "new", "version": 1, "created": True},
        {"session_id": "old", "version": 2, "created": False},
    ]
    stored = agent.get("/api/sessions/old/").json()
    assert (stored["title"], stored["metadata"]) == ("After", {})
    assert [row["session_id"] for row in agent.get("/api/sessions/", {"tag": "x"}).json()["results"]] == ["new"]


@pytest.mark.parametrize(
    ("bad", "pointer", "status"),
    [
        ({"session_id": "s1", "status": "asleep"}, "/sessions/1/status", 400),
        ({"title": "nameless"}, "/sessions/1/session_id", 400),
        ({"session_id": "s0"}, "/sessions/1/session_id", 400),
        ({"session_id": "s1", "tags": [""]}, "/sessions/1/tags/0", 400),
        ({"session_id": "done", "status": "active"}, None, 409),
    ],
)
def test_one_bad_session_saves_none(agent, project, bad, pointer, status):
    make_session(project=project, session_id="done", status="completed")
    answer = agent.post(SAVE, {"sessions": [{"session_id": "s0"}, bad]})
    assert answer.status_code == status, answer.content
    if pointer:
        assert pointer in [error["pointer"] for error in answer.json()["errors"]]
    assert list(Session.objects.values_list("session_id", flat=True)) == ["done"]


def test_a_batch_is_deleted_with_all_that_hangs_on_it(owner, project, other_project):
    for number in range(3):
        make_message(session=make_session(project=project, session_id=f"s{number}"))
    make_session(project=other_project, session_id="theirs")
    answer = owner.post(DELETE, {"session_ids": ["s0", "gone", "theirs"]})
    assert answer.status_code == 404
    assert "gone" in answer.json()["detail"]
    assert "theirs" in answer.json()["detail"]
    assert Session.objects.count() == 4
    assert owner.post(DELETE, {"session_ids": ["s0", "s1", "s0"]}).json() == {"deleted": 2}
    assert sorted(Session.objects.values_list("session_id", flat=True)) == ["s2", "theirs"]


def test_a_batch_has_a_bound(agent):
    many = [{"session_id": f"s{number}"} for number in range(1001)]
    assert agent.post(SAVE, {"sessions": many}).status_code == 400
    assert agent.post(DELETE, {"session_ids": [row["session_id"] for row in many]}).status_code == 400
    assert agent.post(SAVE, {"sessions": "s1"}).status_code == 400
    assert agent.post(DELETE, {"session_ids": [5]}).status_code == 400
    assert agent.post(SAVE, {"sessions": []}).json() == {"sessions": []}


def test_readers_save_and_delete_nothing(reader):
    assert reader.post(SAVE, {"sessions": []}).status_code == 403
    assert reader.post(DELETE, {"session_ids": []}).status_code == 403
