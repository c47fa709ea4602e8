"""Document 003's six steps: a session is made, talked in, left by its agent, and come back to with nothing lost."""

import pytest

from history_app.models import Message
from sessions_app.models import Session
from sessions_app.services.residency import agents_release_idle

pytestmark = pytest.mark.django_db


def test_an_agent_goes_and_comes_back(agent, owner, django_capture_on_commit_callbacks):
    from datetime import timedelta

    from django.conf import settings
    from django.utils import timezone

    # 1. A session is made, and its agent is in memory.
    body = {"session_id": "chat", "user_id": "ada", "title": "Parcel", "external_ids": {"other": "r-1"}}
    assert agent.post("/api/sessions/", body).status_code == 201
    lease = agent.post("/api/sessions/chat/heartbeat/", {"agent_id": "one", "host": "a"}).json()
    assert agent.get("/api/sessions/status/").json()["resident_agents"] == 1

    # 2. Messages are added, and the agent notes where it stands.
    said = [{"role": "user", "content": "Where is it?"}, {"role": "assistant", "content": "订单已发货。"}]
    assert agent.post("/api/sessions/chat/messages/", said).status_code == 201
    task = {"session_id": "chat", "user_input": "Find it.", "subtasks": [{"description": "Ask."}]}
    assert agent.post("/api/tasks/", task).status_code == 201
    turn = {
        "expected_version": 0,
        "state": {"current_step": "wait", "data": {"carrier": "DHL"}},
        "records": [{"record_type": "tool_call", "record_id": "t1", "tool_name": "track", "status": "pending"}],
    }
    headers = {"X-Fencing-Token": str(lease["fence"])}
    assert agent.post("/api/sessions/chat/turn/", turn, headers=headers).status_code == 200
    before = agent.get("/api/sessions/chat/restore/").json()

    # 3. The agent is idle for AGENT_IDLE_SECONDS and is released.
    later = timezone.now() + timedelta(seconds=settings.AGENT_IDLE_SECONDS + 1)
    assert agents_release_idle(now=later, idle_seconds=settings.AGENT_IDLE_SECONDS) == 1
    assert agent.get("/api/sessions/status/").json()["resident_agents"] == 0

    # 4. What the database holds is all still there.
    assert (Session.objects.count(), Message.objects.count()) == (1, 2)
    assert [row["content"] for row in agent.get("/api/sessions/chat/messages/").json()["results"]] == [
        row["content"] for row in said
    ]

    # 5. The session comes back, complete.
    after = agent.get("/api/sessions/chat/restore/").json()
    assert after == before
    assert after["verdict"] == {"complete": True, "missing": []}
    assert (after["state"]["current_step"], after["state"]["data"]) == ("wait", {"carrier": "DHL"})
    assert [call["record_id"] for call in after["pending_tool_calls"]] == ["t1"]
    assert after["open_tasks"][0]["subtasks"][0]["description"] == "Ask."

    # 6. An agent is made anew, and goes on where the first one stood; the first one cannot any more.
    fresh = agent.post("/api/sessions/chat/heartbeat/", {"agent_id": "two", "host": "b"}).json()
    assert fresh["fence"] > lease["fence"]
    turn = {"expected_version": 1, "state_patch": {"current_step": "tell"}}
    late = agent.post("/api/sessions/chat/turn/", turn, headers=headers)
    assert late.status_code == 409
    answer = agent.post("/api/sessions/chat/turn/", turn, headers={"X-Fencing-Token": str(fresh["fence"])})
    assert (answer.json()["version"], answer.json()["state"]["data"]) == (2, {"carrier": "DHL"})

    # And a full delete takes all of it: agent, session, messages.
    assert owner.delete("/api/sessions/chat/").status_code in (202, 204)
    assert agent.get("/api/sessions/chat/restore/").status_code == 404
    assert agent.get("/api/sessions/status/").json()["resident_agents"] == 0
