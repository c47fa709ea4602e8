"""Tasks and subtasks over the API (document 002): created together, moved on step by step."""

import pytest

from history_app.models import Subtask, Task, ToolCall
from sessions_app.models import AuditEntry

pytestmark = pytest.mark.django_db

TASK = {
    "session_id": "s-1",
    "record_id": "task-1",
    "user_input": "Find the parcel.",
    "metadata": {"priority": 1},
    "subtasks": [
        {"description": "Ask the carrier.", "expected_output": "A place."},
        {"description": "Tell the customer.", "context": {"language": "zh"}},
    ],
}


@pytest.fixture
def task(owner):
    owner.post("/api/sessions/", {"session_id": "s-1"})
    answer = owner.post("/api/tasks/", TASK)
    assert answer.status_code == 201, answer.content
    return answer.json()


def test_a_task_is_created_with_its_subtasks(owner, task):
    assert (task["status"], task["results"], task["metadata"]) == ("pending", None, {"priority": 1})
    steps = [(step["subtask_index"], step["description"], step["task"]) for step in task["subtasks"]]
    assert steps == [(0, "Ask the carrier.", task["id"]), (1, "Tell the customer.", task["id"])]
    assert owner.get("/api/tasks/").json()["results"] == [task]


def test_the_detail_has_the_tool_calls_too(owner, task):
    call = {"session_id": "s-1", "task": task["id"], "tool_name": "track", "tool_output": "y" * 3000}
    owner.post("/api/tool-calls/", call)
    detail = owner.get(f"/api/tasks/{task['id']}/").json()
    assert [(call["tool_name"], call["truncated"]) for call in detail.pop("tool_calls")] == [("track", True)]
    assert detail == task


def test_the_same_task_again_is_answered_with_the_stored_one(owner, task):
    again = owner.post("/api/tasks/", TASK)
    assert (again.status_code, again.json()) == (200, task)
    assert owner.post("/api/tasks/", {**TASK, "user_input": "Other"}).status_code == 409
    assert owner.post("/api/tasks/", {**TASK, "subtasks": []}).status_code == 409
    assert (Task.objects.count(), Subtask.objects.count()) == (1, 2)


def test_a_task_with_a_bad_subtask_is_not_created(owner, task):
    body = {"session_id": "s-1", "user_input": "x", "subtasks": [{"description": "a"}, {"description": 5}]}
    answer = owner.post("/api/tasks/", body)
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, "/subtasks/1/description")
    twice = [{"description": "a", "subtask_index": 1}, {"description": "b", "subtask_index": 1}]
    answer = owner.post("/api/tasks/", {**body, "subtasks": twice})
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, "/subtasks")
    assert Task.objects.count() == 1


def test_a_task_of_an_unknown_session_is_refused(owner, task):
    answer = owner.post("/api/tasks/", {"session_id": "unknown", "user_input": "x"})
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, "/session_id")


def test_an_agent_moves_a_task_on(agent, task):
    path = f"/api/tasks/{task['id']}/"
    answer = agent.patch(path, {"status": "completed", "results": {"place": "Leipzig"}})
    assert (answer.status_code, answer.json()["results"]) == (200, {"place": "Leipzig"})
    merged = agent.patch(path, {"results": {"day": 3}, "metadata": {"priority": None}}).json()
    assert (merged["results"], merged["metadata"]) == ({"place": "Leipzig", "day": 3}, {})
    assert merged["subtasks"] == task["subtasks"]
    replaced = agent.put(path, {"session_id": "s-1", "user_input": "Find it.", "results": [1]}).json()
    assert (replaced["user_input"], replaced["results"], replaced["status"]) == ("Find it.", [1], "pending")


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"session_id": "other"}, "/session_id"),
        ({"record_id": "other"}, "/record_id"),
        ({"status": "lost"}, "/status"),
        ({"user_input": 5}, "/user_input"),
        ({"subtasks": [{"description": "x"}]}, "/subtasks"),
        ({"nonsense": 1}, "/nonsense"),
    ],
)
def test_a_task_is_not_changed_into_something_else(agent, task, body, pointer):
    answer = agent.patch(f"/api/tasks/{task['id']}/", body)
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, pointer)


def test_an_agent_moves_a_subtask_on(agent, task):
    path = f"/api/subtasks/{task['subtasks'][1]['id']}/"
    change = {"status": "completed", "actual_output": "Told.", "validation_report": {"ok": True}}
    changed = agent.patch(path, {**change, "context": {"tone": "kind"}}).json()
    assert {name: changed[name] for name in change} == change
    assert changed["context"] == {"language": "zh", "tone": "kind"}
    for name, value in (("task", 999), ("subtask_index", 5)):
        answer = agent.patch(path, {name: value})
        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, f"/{name}")


def test_a_subtask_can_be_added_to_a_task(agent, task):
    added = agent.post("/api/subtasks/", {"task": task["id"], "description": "Ask again."})
    assert (added.status_code, added.json()["subtask_index"]) == (201, 2)
    taken = {"task": task["id"], "description": "x", "subtask_index": 0}
    assert agent.post("/api/subtasks/", taken).status_code == 409
    answer = agent.post("/api/subtasks/", {"task": 999999, "description": "x"})
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, "/task")


def test_lists_are_filtered(owner, task):
    assert len(owner.get("/api/tasks/", {"session_id": "s-1", "status": "pending"}).json()["results"]) == 1
    assert owner.get("/api/tasks/", {"status": "failed"}).json()["results"] == []
    assert owner.get("/api/tasks/", {"session_id": "other"}).json()["results"] == []
    assert owner.get("/api/tasks/", {"end": "2000-01-01T00:00:00Z"}).json()["results"] == []
    assert len(owner.get("/api/subtasks/", {"task": task["id"], "status": "pending"}).json()["results"]) == 2
    assert owner.get("/api/subtasks/", {"task": 999999}).json()["results"] == []


def test_a_deleted_task_leaves_its_tool_calls(operator, agent, task):
    agent.post("/api/tool-calls/", {"session_id": "s-1", "task": task["id"], "tool_name": "track"})
    path = f"/api/tasks/{task['id']}/"
    assert agent.delete(path).status_code == 403
    assert operator.delete(path).status_code == 204
    assert (Subtask.objects.count(), ToolCall.objects.get().task) == (0, None)
    assert AuditEntry.objects.filter(action="task.delete").count() == 1


def test_a_subtask_can_be_removed(operator, agent, task):
    path = f"/api/subtasks/{task['subtasks'][0]['id']}/"
    assert agent.delete(path).status_code == 403
    assert operator.delete(path).status_code == 204
    assert Subtask.objects.count() == 1


def test_an_outsider_sees_and_changes_nothing(outsider, task):
    outsider.post("/api/sessions/", {"session_id": "s-1"})
    for kind, number in (("tasks", task["id"]), ("subtasks", task["subtasks"][0]["id"])):
        path = f"/api/{kind}/{number}/"
        assert outsider.get(f"/api/{kind}/").json()["results"] == []
        for answer in (outsider.get(path), outsider.patch(path, {"status": "failed"}), outsider.delete(path)):
            assert answer.status_code == 404
    assert outsider.post("/api/subtasks/", {"task": task["id"], "description": "x"}).status_code == 400
    call = {"session_id": "s-1", "task": task["id"], "tool_name": "x"}
    assert outsider.post("/api/tool-calls/", call).json()["errors"][0]["pointer"] == "/task"


def test_a_reader_sees_tasks_masked(reader, task):
    row = reader.get("/api/tasks/").json()["results"][0]
    assert (row["user_input"], row["results"], row["status"]) == ("********", None, "pending")
    assert row["subtasks"][0]["description"] == "********"


@pytest.mark.parametrize(("kind", "queries"), [("tasks", 3), ("subtasks", 2)])
def test_a_list_takes_a_fixed_number_of_queries(owner, task, kind, queries, django_assert_num_queries):
    for number in range(3):
        owner.post("/api/tasks/", {**TASK, "record_id": f"more-{number}"})
        owner.get(f"/api/{kind}/")
        with django_assert_num_queries(queries):
            owner.get(f"/api/{kind}/")


def test_what_a_user_used_is_counted(owner, task):
    owner.put("/api/user-configs/ada/", {})
    owner.patch("/api/sessions/s-1/", {"user_id": "ada"}, headers={"If-Match": "*"})
    for cost in ("0.1", "0.2"):
        usage = {"session_id": "s-1", "model": "m", "prompt_tokens": 5, "completion_tokens": 2, "reported_cost": cost}
        owner.post("/api/token-usage/", usage)
    stats = owner.get("/api/user-configs/ada/").json()["usage_stats"]
    assert (stats["session_count"], stats["task_count"], stats["usage_count"]) == (1, 1, 2)
    assert (stats["total_tokens"], stats["prompt_tokens"], stats["cost"]) == (14, 10, "0.3")
