"""Versions of a state: who may write the next one, which former ones stay, and what is found by where it stands."""

import json

import pytest
from django.db import connection
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from config.shared.errors import NotFound
from config.shared.merging import merge_patch
from sessions_app.models import SessionState
from sessions_app.services.checkpoints import is_kept
from sessions_app.services.drafts import StateDraft
from sessions_app.services.states import state_current, state_rollback, state_save, state_update
from tests.factories import make_session

pytestmark = pytest.mark.django_db
STATE = "/api/sessions/s1/state/"


@pytest.fixture
def session(project):
    return make_session(project=project, session_id="s1")


def _versions(session) -> list[int]:
    return list(SessionState.objects.filter(session=session).order_by("version").values_list("version", flat=True))


# Who may write the next one


def test_a_conflict_tells_the_current_version(owner, session):
    for step in ("one", "two", "three"):
        owner.put(STATE, {"current_step": step})
    answer = owner.put(STATE, {"current_step": "late"}, headers={"If-Match": '"2"'})
    assert (answer.status_code, answer.json()["current_version"]) == (412, 3)
    answer = owner.patch(STATE, {"current_step": "late", "expected_version": 1})
    assert (answer.status_code, answer.json()["current_version"]) == (412, 3)
    answer = owner.post("/api/sessions/s1/checkpoints/1/rollback/", {"expected_version": 2})
    assert (answer.status_code, answer.json()["current_version"]) == (412, 3)
    assert owner.get(STATE).json()["current_step"] == "three"


def test_the_version_may_stand_in_the_body(owner, session):
    assert owner.put(STATE, {"current_step": "one", "expected_version": 0}).status_code == 201
    answer = owner.put(STATE, {"current_step": "two", "expected_version": 1})
    assert (answer.status_code, answer["ETag"]) == (200, '"2"')
    assert "expected_version" not in answer.json()
    assert owner.post("/api/sessions/s1/checkpoints/1/rollback/", {"expected_version": 2}).json()["version"] == 3
    answer = owner.put(STATE, {"expected_version": 3}, headers={"If-Match": '"2"'})
    assert answer.json()["errors"][0]["pointer"] == "/expected_version"
    assert owner.put(STATE, {"expected_version": "3"}).status_code == 400


@pytest.mark.parametrize("way", [{"body": {"expected_version": 0}}, {"headers": {"If-None-Match": "*"}}])
def test_the_first_state_is_made_once(owner, session, way):
    body = {"current_step": "mine", **way.get("body", {})}
    assert owner.put(STATE, body, headers=way.get("headers")).status_code == 201
    answer = owner.put(STATE, {**body, "current_step": "other"}, headers=way.get("headers"))
    assert (answer.status_code, answer.json()["current_version"]) == (412, 1)
    assert owner.get(STATE).json()["current_step"] == "mine"


def test_a_version_is_demanded_where_the_setting_says_so(owner, session, settings):
    settings.STATE_VERSION_REQUIRED = True
    for call in (owner.put, owner.patch):
        answer = call(STATE, {"current_step": "blind"})
        assert (answer.status_code, answer["Content-Type"]) == (428, "application/problem+json")
    assert owner.put(STATE, {"current_step": "one"}, headers={"If-None-Match": "*"}).status_code == 201
    assert owner.post("/api/sessions/s1/checkpoints/1/rollback/").status_code == 428
    assert owner.patch(STATE, {"current_step": "two"}, headers={"If-Match": '"1"'}).status_code == 200
    assert owner.patch(STATE, {"current_step": "three"}, headers={"If-Match": "*"}).status_code == 200
    assert _versions(session) == [1, 2, 3]


@pytest.mark.parametrize(
    "document", [{"data": {"x": "é" * 600}}, {"errors": ["x" * 1100]}, {"tool_results": [1] * 900}]
)
def test_a_state_over_the_limit_stores_nothing(owner, session, settings, document):
    settings.MAX_STATE_BYTES = 1000
    assert owner.put(STATE, document).status_code == 413
    assert _versions(session) == []
    owner.put(STATE, {"data": {"kept": 1}})
    answer = owner.patch(STATE, document)
    assert (answer.status_code, answer["Content-Type"]) == (413, "application/problem+json")
    assert (_versions(session), owner.get(STATE).json()["data"]) == ([1], {"kept": 1})


# Which former ones stay

LAST, EVERY = 4, 3
KEYS = st.sampled_from("abc")
VALUES = st.none() | st.integers(-5, 5) | st.text(max_size=3)
DOCUMENT = st.dictionaries(KEYS, VALUES | st.dictionaries(KEYS, VALUES, max_size=2), max_size=3)
STEPS = st.one_of(
    st.tuples(st.just("save"), DOCUMENT),
    st.tuples(st.just("patch"), DOCUMENT),
    st.tuples(st.just("roll back"), st.integers(1, 20)),
)


@hypothesis_settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(STEPS, min_size=5, max_size=25))
def test_versions_are_those_of_a_plain_model(project, settings, now, steps):
    settings.STATE_KEEP_LAST, settings.STATE_KEEP_EVERY = LAST, EVERY
    session = make_session(project=project)
    model: dict[int, dict] = {}
    newest = 0
    for kind, given_ in steps:
        if kind == "save":
            written = given_
            state_save(session=session, draft=StateDraft(data=given_), now=now)
        elif kind == "patch":
            written = merge_patch(model.get(newest, {}), given_)
            state_update(session=session, changes={"data": given_}, now=now)
        elif given_ not in model:
            with pytest.raises(NotFound):
                state_rollback(session=session, version=given_, now=now)
            continue
        else:
            written = model[given_]
            state_rollback(session=session, version=given_, now=now)
        newest += 1
        model[newest] = json.loads(json.dumps(written))
        model = {version: data for version, data in model.items() if version >= newest - LAST or version % EVERY == 0}
    stored = SessionState.objects.filter(session=session)
    assert {row.version: row.data for row in stored} == model
    assert list(stored.current().values_list("version", flat=True)) == ([newest] if newest else [])


@pytest.mark.parametrize(
    ("policy", "kept"),
    [
        ((0, 0), [*range(1, 13)]),
        ((0, 5), [*range(1, 13)]),
        ((1, 0), [11, 12]),
        ((2, 5), [5, 10, 11, 12]),
        ((50, 50), [*range(1, 13)]),
    ],
)
def test_the_policy_keeps_the_last_ones_and_every_so_manyth(session, settings, now, policy, kept):
    last, every = policy
    settings.STATE_KEEP_LAST, settings.STATE_KEEP_EVERY = last, every
    for number in range(12):
        state_save(session=session, draft=StateDraft(iteration_count=number), now=now)
    assert _versions(session) == kept
    assert [version for version in range(1, 13) if is_kept(version=version, current=12, last=last, every=every)] == kept


def test_a_smaller_policy_holds_from_the_next_write_on(session, settings, now):
    settings.STATE_KEEP_LAST, settings.STATE_KEEP_EVERY = 50, 0
    for number in range(20):
        state_save(session=session, draft=StateDraft(iteration_count=number), now=now)
    settings.STATE_KEEP_LAST = 3
    state_save(session=session, draft=StateDraft(), now=now)
    assert _versions(session) == [18, 19, 20, 21]


def test_a_version_that_is_gone_is_not_found(owner, session, settings):
    settings.STATE_KEEP_LAST, settings.STATE_KEEP_EVERY = 1, 0
    for number in range(4):
        owner.put(STATE, {"iteration_count": number})
    assert owner.get("/api/sessions/s1/checkpoints/1/").status_code == 404
    assert owner.post("/api/sessions/s1/checkpoints/1/rollback/").status_code == 404
    assert owner.get(STATE).json()["iteration_count"] == 3


def test_a_write_costs_the_same_at_any_version(session, now, settings, django_assert_max_num_queries):
    settings.STATE_KEEP_LAST = 5
    for number in range(30):
        state_save(session=session, draft=StateDraft(iteration_count=number), now=now)
    savepoints = 4
    with django_assert_max_num_queries(8 + savepoints):
        state_save(session=session, draft=StateDraft(), now=now)


# What is found by where it stands


def test_sessions_are_found_by_where_they_stand_now(owner, project, now):
    for number, step in enumerate(("ask", "tell", "ask")):
        session = make_session(project=project, session_id=f"s{number}")
        state_save(session=session, draft=StateDraft(current_step="begin", iteration_count=99), now=now)
        draft = StateDraft(current_step=step, iteration_count=number, workflow_name=f"w{number}")
        state_save(session=session, draft=draft, now=now)

    def found(**params):
        rows = owner.get("/api/sessions/", {**params, "ordering": "created_at"}).json()["results"]
        return [row["session_id"] for row in rows]

    assert found(current_step="ask") == ["s0", "s2"]
    assert found(current_step="begin") == []
    assert found(workflow_name="w1") == ["s1"]
    assert found(iteration_count_min=1) == ["s1", "s2"]
    assert found(iteration_count_min=1, iteration_count_max=1, current_step="tell") == ["s1"]
    assert owner.get("/api/sessions/", {"iteration_count_min": "many"}).status_code == 400


def test_checkpoints_are_found_by_step_and_time(owner, session, now):
    for step in ("ask", "tell", "ask"):
        state_save(session=session, draft=StateDraft(current_step=step), now=now)
    path = "/api/sessions/s1/checkpoints/"
    assert [row["version"] for row in owner.get(path, {"current_step": "ask"}).json()["results"]] == [3, 1]
    assert owner.get(path, {"created_after": "2027-01-01T00:00:00Z"}).json()["results"] == []
    assert len(owner.get(path, {"created_before": "2027-01-01T00:00:00Z"}).json()["results"]) == 3


def test_the_current_state_is_the_newest_version_always(session, now):
    for number in range(3):
        state_save(session=session, draft=StateDraft(iteration_count=number), now=now)
    state = state_current(session=session)
    assert (state.version, state.is_current) == (3, True)


@pytest.mark.skipif(connection.vendor != "postgresql", reason="looks at PostgreSQL's plan")
def test_an_index_serves_each_filter_by_standing(owner, project):
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        for condition in ("current_step = 'ask'", "workflow_name = 'w'", "iteration_count >= 3"):
            cursor.execute(f"EXPLAIN SELECT session_id FROM sessions_app_sessionstate WHERE is_current AND {condition}")
            plan = " ".join(line for (line,) in cursor.fetchall())
            assert "state_by_" in plan, plan
