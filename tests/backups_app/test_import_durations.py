"""Whatever an old store says, a call took from 0 to 10^9 seconds, or nobody knows how long: the same in each format."""

import json

import pytest

from backups_app.models import ImportFinding
from history_app.models import ToolCall
from tests.backups_app.test_legacy_session_payloads import payload
from tests.samples import agent_flow, blueplan, plain_chats
from tests.samples.history_store import record, write_history

CALL = {"tool_name": "find", "tool_input": {}, "tool_output": [], "success": True}


def _history(root, seconds):
    write_history(root, "s1", [record("tool_call", "s1", 1, **CALL, execution_time=seconds)])


def _payload(root, seconds):
    plain_chats.write(root / "s1.json", payload(state={"tool_calls": [{**CALL, "execution_time": seconds}]}))


def _blueplan(root, seconds):
    said = blueplan.said(1, "[42]", "tool", tool_name="find", tool_args={}, execution_time=seconds)
    blueplan.write_files(root, {"session:s1": blueplan.SESSION, "conversation:s1": [said]})


def _tasks(root, seconds):
    rows = {"task_history": [agent_flow.task(1)], "tool_logs": [agent_flow.log(1, 1, execution_time=seconds)]}
    agent_flow.write_database(root / "agent_flow.db", rows)


@pytest.mark.parametrize("write", [_history, _payload, _blueplan, _tasks])
@pytest.mark.parametrize(
    ("seconds", "taken"), [(0.25, 0.25), (10**9, 1e9), (-5, None), (1e300, None), (10**9 + 1, None)]
)
def test_a_call_of_a_tool(bring_in, tmp_path, write, seconds, taken):
    write(tmp_path, seconds)
    report = bring_in(tmp_path)
    call = ToolCall.objects.get()
    assert call.execution_time == taken
    told = list(ImportFinding.objects.filter(kind="tool_call").values_list("code", "detail"))
    if taken is None:
        assert told == [("duration", "execution_time: not a number of seconds from 0 to 10^9, taken as unknown")]
        assert call.metadata["as_found"]["execution_time"] == seconds
        assert report.kinds["tool_call"].repaired == 1
    else:
        assert told == []


@pytest.mark.parametrize("seconds", [-5, 1e300])
def test_the_answer_of_a_model(bring_in, tmp_path, seconds):
    asked = {"request_id": "r1", "model": "m", "provider": "p"}
    write_history(tmp_path, "s1", [
        record("llm_request", "s1", 1, **asked, messages=[], parameters={}),
        record("llm_response", "s1", 2, **asked, response="hi", response_time=seconds),
    ])  # fmt: skip
    report = bring_in(tmp_path)
    assert report.kinds["llm_response"].repaired == 1
    assert json.loads(ImportFinding.objects.get(code="duration").raw)["response_time"] == seconds
