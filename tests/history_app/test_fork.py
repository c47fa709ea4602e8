"""Forks: a new session with the history and the state of another one up to a point, and nothing counted twice."""

import threading
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection, connections

from config.shared.callers import SYSTEM
from history_app.models import LLMCall, Message, Metric, Subtask, Task, TokenUsage, ToolCall
from history_app.selectors.users import usage_stats_of_user
from history_app.services.fork import session_fork
from sessions_app.models import AuditEntry, Session, SessionActivity, SessionState
from sessions_app.models.accounts import Project
from tests.factories import make_session, make_session_state, make_subtask, make_task, make_workflow
from tests.history_app.records import record, write

pytestmark = pytest.mark.django_db

PATH = "/api/sessions/s-1/fork/"
START = datetime(2026, 3, 1, 12, tzinfo=UTC)


def at(minute, second=0):
    return START + timedelta(minutes=minute, seconds=second)


def stamp(minute, second=0):
    return at(minute, second).isoformat()


@pytest.fixture
def source(project, now):
    """A session of ten minutes with a message a minute and something of every kind in each, and three states."""
    session = make_session(
        session_id="s-1", user_id="u-1", title="Parcel", status="completed", tags=["vip"], ttl_seconds=60
    )
    Session.objects.filter(pk=session.pk).update(
        metadata={"customer": "ACME", "forked_from": "s-0", "forked_at_message": 3},
        context={"c": 1},
        external_ids={"ragflow": "r-1"},
        workflow=make_workflow(workflow_id="support"),
    )
    for n in range(1, 11):
        task = make_task(session=session, record_id=f"task-{n}", created_at=at(n))
        make_subtask(task=task, subtask_index=0, description=f"step {n}", context={"n": n})
        joined = {"request_id": f"call-{n}"}
        write(
            project,
            [
                record("message", f"m-{n}", timestamp=stamp(n), content=f"message {n}", metadata={"n": n}),
                record("tool_call", f"t-{n}", timestamp=stamp(n), task=f"task-{n}"),
                record("llm_request", f"q-{n}", timestamp=stamp(n), **joined),
                record("llm_response", f"p-{n}", timestamp=stamp(n, 30), **joined),
                record("token_usage", f"u-{n}", timestamp=stamp(n), user_id="u-1"),
                record("cost", f"c-{n}", timestamp=stamp(n), user_id="u-1"),
                record("error", f"e-{n}", timestamp=stamp(n)),
                record("metric", f"x-{n}", timestamp=stamp(n)),
            ],
            now,
        )
    for version, minute in ((1, 2), (2, 5), (3, 9)):
        make_session_state(
            session=session, version=version, current_step=f"step {version}", data={"v": version}, created_at=at(minute)
        )
    SessionState.objects.filter(session=session).update(is_current=None)
    SessionState.objects.filter(session=session, version=3).update(is_current=True)
    return Session.objects.get(pk=session.pk)


def _forked(owner, body=None):
    answer = owner.post(PATH, body if body is not None else {})
    assert answer.status_code == 201, answer.content
    return answer.json(), Session.objects.get(session_id=answer.json()["session_id"])


def _ids(model, session):
    return list(model.objects.filter(session=session).order_by("pk").values_list("record_id", flat=True))


def test_a_whole_session_is_copied_but_for_what_was_measured(owner, source, now):
    answer, fork = _forked(owner, {"session_id": "s-1b"})
    assert answer == {
        "session_id": "s-1b",
        "forked_from": "s-1",
        "state_version": 3,
        "copied": {
            "states": 3,
            "messages": 10,
            "tasks": 10,
            "subtasks": 10,
            "tool_calls": 10,
            "llm_calls": 10,
            "errors": 10,
        },
    }
    assert _ids(Message, fork) == _ids(Message, source)
    assert not TokenUsage.objects.filter(session=fork).exists()
    assert not Metric.objects.filter(session=fork).exists()
    for ours, theirs in zip(
        Message.objects.filter(session=fork).order_by("sequence"),
        Message.objects.filter(session=source).order_by("sequence"),
        strict=True,
    ):
        assert (ours.sequence, ours.content, ours.timestamp, ours.metadata, ours.project_id) == (
            theirs.sequence,
            theirs.content,
            theirs.timestamp,
            theirs.metadata,
            theirs.project_id,
        )
    calls = LLMCall.objects.filter(session=fork)
    assert all(call.answered and call.response == {"content": "Hello"} for call in calls)


def test_tokens_and_costs_are_counted_once(owner, source, project):
    before = usage_stats_of_user(project.pk, "u-1")
    _forked(owner)
    after = usage_stats_of_user(project.pk, "u-1")
    assert {**after, "session_count": 1, "task_count": 10} == {**before, "task_count": 10}
    assert (before["total_tokens"], before["cost"]) == (1200, "0.031")


def test_the_forks_session_is_a_new_one_that_knows_where_it_comes_from(owner, source, project):
    _answer, fork = _forked(owner, {"message": 4, "checkpoint": 1})
    assert (fork.title, fork.user_id, fork.tags, fork.context, fork.ttl_seconds) == (
        "Parcel",
        "u-1",
        ["vip"],
        {"c": 1},
        60,
    )
    assert (fork.status, fork.external_ids, fork.version, fork.workflow) == ("active", {}, 1, source.workflow)
    origin = {"forked_from": "s-1", "forked_at_message": 4, "forked_at_checkpoint": 1}
    assert fork.metadata == {"customer": "ACME", **origin}
    found = owner.get("/api/sessions/", {"metadata.forked_from": "s-1", "tag": "vip"}).json()["results"]
    assert [row["session_id"] for row in found] == [fork.session_id]
    _answer, grandchild = _forked(owner)
    assert "forked_at_message" not in grandchild.metadata
    entry = AuditEntry.objects.filter(action="session.fork", target_id=fork.session_id).get()
    assert entry.changes.items() >= origin.items()
    assert entry.changes["copied"]["messages"] == 4


def test_up_to_a_message_everything_until_then_is_copied(owner, source):
    _answer, fork = _forked(owner, {"message": 4})
    for model, prefix in ((Message, "m"), (Task, "task"), (ToolCall, "t"), (LLMCall, "q")):
        assert _ids(model, fork) == [f"{prefix}-{n}" for n in range(1, 5)], model
    calls = LLMCall.objects.filter(session=fork).order_by("pk")
    # The fourth call had been made by then, and was answered later.
    assert [call.answered for call in calls] == [True, True, True, False]
    assert (calls[3].response, calls[3].response_time, calls[3].messages) == (
        None,
        None,
        [{"role": "user", "content": "Hi"}],
    )
    states = SessionState.objects.filter(session=fork).values_list("version", "is_current", "current_step")
    assert list(states) == [(1, True, "step 1")]
    assert _counters(fork) == (4, 4)


def _counters(session):
    activity = SessionActivity.objects.get(session=session)
    return activity.last_sequence, activity.message_count


def test_up_to_a_checkpoint_the_history_ends_with_it(owner, source):
    answer, fork = _forked(owner, {"checkpoint": 2})
    assert _ids(Message, fork) == [f"m-{n}" for n in range(1, 6)]
    states = SessionState.objects.filter(session=fork).order_by("version")
    assert [(state.version, state.is_current, state.data) for state in states] == [
        (1, None, {"v": 1}),
        (2, True, {"v": 2}),
    ]
    assert answer["state_version"] == 2
    assert owner.get(f"/api/sessions/{fork.session_id}/state/").json()["current_step"] == "step 2"


def test_a_message_and_a_checkpoint_say_each_their_part(owner, source):
    answer, fork = _forked(owner, {"checkpoint": 3, "message": 2})
    assert _ids(Message, fork) == ["m-1", "m-2"]
    assert answer["state_version"] == 3


def test_tool_calls_and_steps_belong_to_the_copied_tasks(owner, source):
    _answer, fork = _forked(owner, {"message": 3})
    for call in ToolCall.objects.filter(session=fork).select_related("task"):
        assert (call.task.session_id, call.task.record_id) == (fork.pk, call.record_id.replace("t-", "task-"))
    steps = Subtask.objects.filter(task__session=fork).order_by("task__record_id")
    assert [(step.task.record_id, step.description, step.context) for step in steps] == [
        (f"task-{n}", f"step {n}", {"n": n}) for n in range(1, 4)
    ]


def test_numbers_go_on_in_both_sessions_apart(owner, source, project, now):
    Message.objects.filter(session=source, record_id="m-2").delete()
    _answer, fork = _forked(owner, {"message": 4})
    assert _counters(fork) == (4, 3)
    write(project, [record("message", "next", session_id=fork.session_id), record("message", "next")], now)
    assert list(Message.objects.filter(record_id="next").order_by("sequence").values_list("sequence", flat=True)) == [
        5,
        11,
    ]
    # A response that comes now joins the copied request.
    late = record("llm_response", "late", session_id=fork.session_id, request_id="call-4")
    write(project, [late], now)
    assert LLMCall.objects.get(session=fork, request_id="call-4").response_record_id == "late"
    assert LLMCall.objects.get(session=source, request_id="call-4").response_record_id == "p-4"


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"message": 99}, "/message"),
        ({"message": 0}, "/message"),
        ({"message": "3"}, "/message"),
        ({"message": 2**63 - 1}, "/message"),
        ({"checkpoint": 9}, "/checkpoint"),
        ({"checkpoint": -1}, "/checkpoint"),
        ({"checkpoint": 2**40}, "/checkpoint"),
        ({"session_id": ""}, "/session_id"),
        ({"session_id": "x" * 256}, "/session_id"),
        ({"at": 3}, "/at"),
    ],
)
def test_a_point_that_is_not_there_is_named_and_nothing_is_made(owner, source, body, pointer):
    answer = owner.post(PATH, body)
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, pointer)
    assert Session.objects.count() == 1


def test_a_fork_needs_a_session_of_ones_own_and_a_free_id(owner, outsider, reader, agent, source):
    assert owner.post(PATH, {"session_id": "s-1"}).status_code == 409
    assert owner.post("/api/sessions/nobody/fork/", {}).status_code == 404
    assert outsider.post(PATH, {}).status_code == 404
    assert reader.post(PATH, {}).status_code == 403
    assert owner.get(PATH).status_code == 405
    assert Session.objects.count() == 1
    assert agent.post(PATH, {}).status_code == 201


def test_a_retry_under_one_key_forks_once(owner, source):
    first, second = (owner.post(PATH, {"message": 2}, headers={"Idempotency-Key": "k-1"}) for _ in range(2))
    assert first.json() == second.json()
    assert second["Idempotency-Replayed"] == "true"
    assert Session.objects.count() == 2


def test_an_empty_session_is_forked_too(owner, project):
    make_session(session_id="s-1")
    answer, fork = _forked(owner)
    assert (answer["state_version"], set(answer["copied"].values())) == (None, {0})
    assert _counters(fork) == (0, 0)


def test_a_fork_takes_as_many_statements_whatever_it_copies(owner, source, project, now, django_assert_num_queries):
    with django_assert_num_queries(29) as few:
        session_fork(session=source, caller=SYSTEM, now=now, message=1, checkpoint=1)
    records = [record("message", f"more-{n}") for n in range(500)]
    write(project, [*records, *[record("tool_call", f"call-{n}", task="task-1") for n in range(500)]], now)
    with django_assert_num_queries(len(few)):
        session_fork(session=source, caller=SYSTEM, now=now, message=510, checkpoint=1)


def test_a_forks_timeline_and_search_show_what_was_copied(owner, source):
    _answer, fork = _forked(owner, {"message": 3})
    rows = owner.get(f"/api/sessions/{fork.session_id}/timeline/").json()["results"]
    own = owner.get("/api/sessions/s-1/timeline/", {"end": stamp(3, 1)}).json()["results"]
    kinds = ("token_usage", "cost", "metric")
    assert [row["record_id"] for row in rows] == [row["record_id"] for row in own if row["record_type"] not in kinds]


@pytest.mark.django_db(transaction=True)
def test_a_fork_of_a_session_that_is_appended_to_is_of_one_moment(store, now):
    project, _made = Project.objects.get_or_create(slug="default", defaults={"name": "Default"})
    source = make_session(session_id="s-1")
    write(project, [record("message", "m-0"), record("tool_call", "t-0")], now)
    stop, faults = threading.Event(), []

    def append():
        try:
            for number in range(1, 10_000):
                if stop.is_set():
                    return
                # Both are stored at once: a fork has both or neither.
                write(project, [record("message", f"m-{number}"), record("tool_call", f"t-{number}")], now)
        except Exception as error:  # noqa: BLE001 - told by the test's own thread
            faults.append(error)
        finally:
            connections.close_all()

    writer = threading.Thread(target=append)
    writer.start()
    try:
        forks = []
        while len(forks) < 6:
            forks.append(session_fork(session=source, caller=SYSTEM, now=now).session)
    finally:
        stop.set()
        writer.join()
    connection.close()
    assert faults == []
    for fork in forks:
        messages, calls = (_ids(model, fork) for model in (Message, ToolCall))
        assert messages == [f"m-{n}" for n in range(len(messages))]
        assert calls == [f"t-{n}" for n in range(len(messages))]
        assert _counters(fork) == (len(messages), len(messages))
