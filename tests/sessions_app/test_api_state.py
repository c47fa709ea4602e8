"""The state of a session, its versions and the way back."""

import pytest

from tests.factories import make_session

pytestmark = pytest.mark.django_db

STATE = {
    "current_step": "plan",
    "iteration_count": 3,
    "max_iterations": 10,
    "workflow_name": "agent",
    "start_time": "2026-03-14T09:00:00Z",
    "errors": [{"type": "TimeoutError"}],
    "tool_results": [{"tool": "search", "ok": True}],
    "data": {"plan": ["a", "b"], "deep": {"x": 1, "y": 2}},
}


@pytest.fixture
def session(project):
    return make_session(project=project, session_id="s1")


def test_a_session_has_no_state_until_one_is_saved(owner, session):
    assert owner.get("/api/sessions/s1/state/").status_code == 404


def test_a_state_comes_back_as_it_was_saved(owner, session):
    answer = owner.put("/api/sessions/s1/state/", STATE)
    assert answer.status_code == 201
    assert answer["ETag"] == '"1"'
    body = owner.get("/api/sessions/s1/state/").json()
    assert {name: body[name] for name in STATE} == STATE
    assert body["version"] == 1


def test_every_write_keeps_the_former_as_a_checkpoint(owner, session):
    for step in ("one", "two", "three"):
        owner.put("/api/sessions/s1/state/", {"current_step": step})
    rows = owner.get("/api/sessions/s1/checkpoints/").json()["results"]
    assert [(row["version"], row["current_step"]) for row in rows] == [(3, "three"), (2, "two"), (1, "one")]
    assert owner.get("/api/sessions/s1/checkpoints/2/").json()["current_step"] == "two"
    assert owner.get("/api/sessions/s1/checkpoints/9/").status_code == 404


def test_patch_merges_data_and_replaces_lists(owner, session):
    owner.put("/api/sessions/s1/state/", STATE)
    body = owner.patch("/api/sessions/s1/state/", {"data": {"deep": {"x": None}}, "errors": []}).json()
    assert body["data"] == {"plan": ["a", "b"], "deep": {"y": 2}}
    assert body["errors"] == []
    assert body["current_step"] == "plan"
    assert body["version"] == 2


def test_patch_makes_the_first_state_too(owner, session):
    answer = owner.patch("/api/sessions/s1/state/", {"data": {"a": 1}})
    assert (answer.status_code, answer.json()["data"]) == (201, {"a": 1})


def test_rolling_back_is_a_new_version(owner, session):
    owner.put("/api/sessions/s1/state/", STATE)
    owner.put("/api/sessions/s1/state/", {"current_step": "lost"})
    answer = owner.post("/api/sessions/s1/checkpoints/1/rollback/")
    assert answer.status_code == 201
    assert answer.json()["version"] == 3
    assert owner.get("/api/sessions/s1/state/").json()["data"] == STATE["data"]
    assert owner.post("/api/sessions/s1/checkpoints/77/rollback/").status_code == 404


def test_a_stale_writer_is_told_so(owner, session):
    owner.put("/api/sessions/s1/state/", {"current_step": "one"})
    owner.put("/api/sessions/s1/state/", {"current_step": "two"}, headers={"If-Match": '"1"'})
    answer = owner.put("/api/sessions/s1/state/", {"current_step": "stale"}, headers={"If-Match": '"1"'})
    assert answer.status_code == 412
    assert owner.get("/api/sessions/s1/state/").json()["current_step"] == "two"


def test_a_state_does_not_change_the_version_of_its_session(owner, session):
    owner.put("/api/sessions/s1/state/", STATE)
    assert owner.get("/api/sessions/s1/").json()["version"] == 1


@pytest.mark.parametrize("size", [1, 20])
def test_the_checkpoints_take_three_queries(owner, session, django_assert_num_queries, size):
    for step in range(size):
        owner.put("/api/sessions/s1/state/", {"iteration_count": step})
    with django_assert_num_queries(3):
        assert len(owner.get("/api/sessions/s1/checkpoints/").json()["results"]) == size
