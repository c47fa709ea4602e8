"""What records bring along from another store: the numbers of messages, and tasks with their steps."""

import pytest

from history_app.models import Message, Subtask, Task, ToolCall
from history_app.services.recording import record_many
from sessions_app.models import SessionActivity
from tests.history_app.records import TIME, outcomes, record

pytestmark = pytest.mark.django_db

LATER = "2026-03-01T13:00:00Z"


def _numbers():
    return list(Message.objects.order_by("sequence").values_list("record_id", "sequence"))


def _counters():
    activity = SessionActivity.objects.get(session__session_id="s-1")
    return activity.last_sequence, activity.message_count


def test_a_message_keeps_its_number_where_it_is_above_the_others(project, now):
    sent = [record("message", "a", sequence=3), record("message", "b", sequence=4), record("message", "c")]
    assert outcomes(project, sent, now) == ["new"] * 3
    assert _numbers() == [("a", 3), ("b", 4), ("c", 5)]
    assert _counters() == (5, 3)


def test_a_number_that_was_given_already_is_followed_by_the_next_one(project, now):
    outcomes(project, [record("message", "a", sequence=7)], now)
    outcomes(project, [record("message", "b", sequence=7), record("message", "c", sequence=2)], now)
    outcomes(project, [record("message", "d", sequence=12)], now)
    assert _numbers() == [("a", 7), ("b", 8), ("c", 9), ("d", 12)]
    assert _counters() == (12, 4)


def test_a_retry_with_or_without_the_number_is_the_same_record(project, now):
    sent = [record("message", "a", sequence=3), record("message", "b", sequence=9)]
    outcomes(project, sent, now)
    assert outcomes(project, [*sent, record("message", "c", sequence=20)], now) == ["same", "same", "new"]
    assert outcomes(project, [record("message", "a")], now) == ["same"]
    assert _numbers() == [("a", 3), ("b", 9), ("c", 20)]
    assert _counters() == (20, 3)


def test_a_single_message_with_a_number_keeps_it(owner, project, now):
    outcomes(project, [record("message", "a")], now)
    assert owner.post("/api/records/", [record("message", "b", sequence=5)]).json()["accepted"] == 1
    assert _numbers() == [("a", 1), ("b", 5)]


@pytest.mark.parametrize("number", [0, -1, 2**53, "3", 1.5, True])
def test_what_is_no_number_is_refused(owner, project, number):
    [refusal] = owner.post("/api/records/", [record("message", "a", sequence=number)]).json()["rejected"]
    assert refusal["errors"][0]["pointer"] == "/sequence"


STEPS = [
    {"description": "Ask", "status": "completed", "actual_output": "sent", "context": {"tries": 1}}
    | {"updated_at": LATER},
    {"description": "Tell", "subtask_index": 5, "validation_report": {"ok": True}},
]


def _task(record_id="task-1", **fields):
    common = {"record_type": "task", "session_id": "s-1", "record_id": record_id, "timestamp": TIME}
    return {**common, "user_input": "Find the parcel.", "subtasks": STEPS, **fields}


def test_a_task_comes_with_its_steps_and_before_its_tool_calls(project, now):
    call = record("tool_call", "t-1", task="task-1")
    task = _task(status="in_progress", results={"found": None}, metadata={"k": 1}, updated_at=LATER)
    assert outcomes(project, [call, task], now) == ["new", "new"]
    stored = Task.objects.get()
    assert (stored.status, stored.results, stored.metadata) == ("in_progress", {"found": None}, {"k": 1})
    assert (stored.created_at.isoformat(), stored.updated_at.isoformat()) == (
        "2026-03-01T12:00:00+00:00",
        "2026-03-01T13:00:00+00:00",
    )
    ask, tell = Subtask.objects.order_by("subtask_index")
    assert (ask.subtask_index, ask.status, ask.actual_output, ask.context) == (0, "completed", "sent", {"tries": 1})
    assert (tell.subtask_index, tell.status, tell.validation_report) == (5, "pending", {"ok": True})
    assert (ask.created_at, ask.updated_at) == (stored.created_at, stored.updated_at)
    assert ToolCall.objects.get().task == stored


def test_a_task_that_has_moved_on_is_the_same_one(project, now):
    outcomes(project, [_task()], now)
    Task.objects.update(status="completed")
    assert outcomes(project, [_task(), _task("task-2")], now) == ["same", "new"]
    assert Task.objects.get(record_id="task-1").status == "completed"
    assert outcomes(project, [_task(user_input="Find another."), _task("task-2", subtasks=[])], now) == ["conflict"] * 2
    assert Subtask.objects.count() == 4


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"user_input": None}, "/user_input"),
        ({"status": "done"}, "/status"),
        ({"subtasks": [{"description": "a", "subtask_index": 1}, {"description": "b"}]}, "/subtasks"),
        ({"subtasks": [{"subtask_index": 1}]}, "/subtasks"),
        ({"subtasks": [{"description": "a", "status": "done"}]}, "/subtasks"),
        ({"subtasks": [{"description": "a", "colour": "red"}]}, "/subtasks"),
        ({"subtasks": [{"description": "a", "created_at": "1066-10-14T00:00:00Z"}]}, "/subtasks/0/created_at"),
        ({"updated_at": "yesterday"}, "/updated_at"),
    ],
)
def test_a_bad_task_is_refused_and_the_place_named(owner, project, fields, pointer):
    answer = owner.post("/api/records/", [_task(**fields), record("message", "m-1")]).json()
    assert answer["accepted"] == 1
    assert answer["rejected"][0]["errors"][0]["pointer"].startswith(pointer)
    assert not Task.objects.exists()


def test_tasks_come_in_from_python_too(project, now):
    intake = record_many(project_id=project.pk, records=[_task(), _task()], now=now)
    assert (intake.accepted, intake.duplicates) == (1, 1)
