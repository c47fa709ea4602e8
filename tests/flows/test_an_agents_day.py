"""An agent's whole day over the public interface: it starts, talks, works, fails, spends, and is looked at by staff."""

import pytest

pytestmark = pytest.mark.django_db


def _posted(client, path, body):
    answer = client.post(path, body)
    assert answer.status_code == 201, answer.content
    return answer.json()


def test_a_session_is_recorded_read_back_and_removed(owner, staff_admin):
    session = _posted(owner, "/api/sessions/", {"session_id": "day-1", "user_id": "ada", "workflow": "react"})
    assert (session["status"], session["workflow"], session["version"]) == ("active", "react", 1)

    said = [{"role": "user", "content": "Where is my order?"}, {"role": "assistant", "content": "订单已发货。"}]
    messages = _posted(owner, "/api/sessions/day-1/messages/", said)
    assert [message["sequence"] for message in messages] == [1, 2]

    task = {"session_id": "day-1", "user_input": "Find the parcel.", "subtasks": [{"description": "Ask the carrier."}]}
    task = _posted(owner, "/api/tasks/", task)
    assert task["subtasks"][0]["subtask_index"] == 0
    call = {"session_id": "day-1", "task": task["id"], "tool_name": "track", "tool_input": {"n": 1}, "status": "error"}
    _posted(owner, "/api/tool-calls/", {**call, "error_message": "The carrier did not answer."})
    _posted(owner, "/api/llm-calls/", {"session_id": "day-1", "model": "gpt-4o", "messages": said})
    tokens = {"prompt_tokens": 900, "completion_tokens": 30, "total_tokens": 930}
    used = _posted(owner, "/api/token-usage/", {"session_id": "day-1", "model": "gpt-4o", **tokens})
    assert (used["user_id"], used["cost"], used["cost_status"]) == ("ada", "0.00255", "computed")
    _posted(owner, "/api/errors/", {"session_id": "day-1", "error_type": "Timeout", "error_message": "30 s"})
    _posted(owner, "/api/metrics/", {"session_id": "day-1", "metric_type": "throughput", "metric_value": 2.5})

    state = owner.put("/api/sessions/day-1/state/", {"current_step": "wait", "iteration_count": 2, "data": {"n": 1}})
    assert state.status_code in (200, 201)
    assert state["ETag"] == '"1"'
    changed = owner.patch("/api/sessions/day-1/", {"status": "completed"}, headers={"If-Match": '"1"'})
    assert (changed.json()["status"], changed["ETag"]) == ("completed", '"2"')
    stale = owner.patch("/api/sessions/day-1/", {"status": "failed"}, headers={"If-Match": '"1"'})
    assert stale.status_code == 412

    stats = owner.get("/api/user-configs/ada/")
    if stats.status_code == 404:
        owner.put("/api/user-configs/ada/", {"preferences": {"language": "zh"}})
        stats = owner.get("/api/user-configs/ada/")
    assert stats.json()["usage_stats"]["total_tokens"] == 930

    last = owner.get("/api/sessions/day-1/messages/", {"last": 1}).json()["results"]
    assert [message["content"] for message in last] == ["订单已发货。"]
    assert owner.delete("/api/sessions/day-1/").status_code == 204
    assert owner.get("/api/messages/", {"session_id": "day-1"}).json()["results"] == []
    assert owner.get("/api/sessions/day-1/").status_code == 404


def test_a_retried_write_with_its_record_id_is_one_record(agent):
    _posted(agent, "/api/sessions/", {"session_id": "day-2"})
    body = {"record_id": "m-1", "role": "user", "content": "Hello"}
    first = agent.post("/api/sessions/day-2/messages/", body)
    again = agent.post("/api/sessions/day-2/messages/", body)
    other = agent.post("/api/sessions/day-2/messages/", {**body, "content": "Something else"})
    assert (first.status_code, other.status_code) == (201, 409)
    assert again.status_code in (200, 201)
    assert len(agent.get("/api/sessions/day-2/messages/").json()["results"]) == 1
