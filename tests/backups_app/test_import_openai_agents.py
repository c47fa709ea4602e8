"""Sessions of the OpenAI Agents SDK come in with what was said, called, answered and used."""

import json
import shutil
import sqlite3
from datetime import UTC, datetime

import pytest

from backups_app.legacy.formats import FORMATS, detect
from backups_app.legacy.types import LegacyConfig, LegacyRecord, LegacySession, Limits, Reading
from backups_app.models import ImportFinding
from history_app.models import Message, TokenUsage, ToolCall
from sessions_app.models import Session, SystemConfig
from tests.backups_app.reports import new
from tests.samples.openai_agents import ANSWER, CALL, ITEMS, KEY, SAID, SCHEMA, USER, write_conversations


class Read:
    """What was read of a path."""

    def __init__(self, path, **limits):
        self.findings = []
        reading = Reading(self.findings.append, UTC, Limits(**limits))
        self.items = list(FORMATS["openai_agents"].open(path, reading).items())
        self.records = [item for item in self.items if isinstance(item, LegacyRecord)]

    def codes(self):
        return {finding.code for finding in self.findings}


@pytest.fixture
def read(tmp_path):
    """Write a conversation of these items, and read it."""

    def run(*items, **more):
        return Read(write_conversations(tmp_path / "conversations.db", {"s1": list(items)}, **more))

    return run


def test_a_database_comes_in_once(tmp_path, bring_in):
    usage = (("s1", 1, 100, 20, 120, '{"cached_tokens": 40}'),)
    path = write_conversations(tmp_path / "conversations.db", usage=usage)
    first, second = bring_in(path), bring_in(tmp_path)
    assert new(first) == {"session": 1, "message": 3, "tool_call": 1, "token_usage": 1}
    assert (first.status, new(second), first.findings_count) == ("completed", {}, 0)
    session = Session.objects.get()
    assert (session.session_id, session.status, session.metadata) == ("s1", "inactive", {})
    assert session.updated_at == datetime(2026, 10, 1, 8, 5, tzinfo=UTC)
    said = list(Message.objects.order_by("sequence").values_list("role", "content"))
    assert said == [("user", "Where is order 7? 订单"), ("assistant", None), ("assistant", "It was sent.")]
    call = ToolCall.objects.get()
    assert (call.tool_name, call.tool_input, call.tool_output, call.status) == (
        "find", {"order": 7}, {"state": "sent"}, "success",
    )  # fmt: skip
    assert call.timestamp == datetime(2026, 10, 1, 8, 0, 2, tzinfo=UTC)
    use = TokenUsage.objects.get()
    assert (use.prompt_tokens, use.completion_tokens, use.total_tokens, use.cache_read_tokens) == (100, 20, 120, 40)
    assert use.source == "api_call"


def test_items_that_are_neither_message_nor_call_are_kept_whole(read):
    odd = {"type": "compaction", "encrypted_content": "x"}
    first, second = read(odd, {"__enc__": 1, "payload": "x"}).records
    assert (first.fields["content"], first.fields["metadata"]) == (odd, {"item_type": "compaction"})
    assert second.fields["metadata"] == {"item_type": "unknown"}


def test_a_call_waits_and_an_answer_alone_is_told(read):
    found = read(CALL, {**ANSWER, "call_id": "another"})
    call, answer = found.records
    assert (call.fields["status"], call.fields["tool_output"]) == ("pending", None)
    assert (answer.fields["tool_name"], answer.fields["metadata"]) == ("unknown", {"call_id": "another"})
    assert found.codes() == {"answer_without_call"}


def test_calls_of_one_id_in_two_sessions_and_twice_in_one_are_told_apart(tmp_path):
    items = {"s1": [CALL, ANSWER, CALL], "s2": [{**ANSWER, "output": "of s2"}, CALL]}
    found = Read(write_conversations(tmp_path / "x.db", items))
    told = [(item.session_id, item.fields["status"], item.fields["tool_output"]) for item in found.records]
    assert told == [("s1", "success", {"state": "sent"}), ("s1", "pending", None), ("s2", "success", "of s2")]


@pytest.mark.parametrize(
    ("item", "name", "status", "output"),
    [
        (
            {"type": "web_search_call", "status": "completed", "action": {"query": "x"}},
            "web_search_call",
            "success",
            None,
        ),
        ({"type": "mcp_call", "name": "ask", "arguments": "{}", "output": "[1]"}, "ask", "success", [1]),
        ({"type": "code_interpreter_call", "status": "failed", "code": "1/0"}, "code_interpreter_call", "error", None),
        ({"type": "computer_call", "status": "in_progress", "action": {}}, "computer_call", "pending", None),
    ],
)
def test_tools_that_run_at_the_provider_say_how_they_ended(read, item, name, status, output):
    (record,) = read(item).records
    fields = record.fields
    assert (record.kind, fields["tool_name"], fields["status"], fields["tool_output"]) == (
        "tool_call", name, status, output,
    )  # fmt: skip


def test_roles_are_ours_and_what_else_a_message_says_is_kept(read):
    first, second, third = read(
        {"role": "developer", "content": "be brief"}, SAID, {"role": "robot", "content": "x"}
    ).records
    assert (first.fields["role"], first.fields["metadata"]) == ("system", {"original_role": "developer"})
    assert second.fields["metadata"] == {"id": "msg_1", "status": "completed"}
    assert (third.fields["role"], third.fields["metadata"]["original_role"]) == ("system", "robot")


def test_items_of_other_branches_are_marked(read):
    found = read(USER, USER, branches=((1, "main"), (1, "b2"), (2, "b2"), (2, "b3")))
    assert [item.fields["metadata"].get("branches") for item in found.records] == [["b2"], ["b2", "b3"]]


def test_what_is_no_json_is_kept_as_the_text_that_it_is_and_told(read):
    found = read("{broken", "", json.dumps("text"))
    assert [item.fields["content"] for item in found.records] == ["{broken", None, "text"]
    assert found.codes() == {"not_json"}


def test_messages_of_a_session_without_a_row_come_in_a_placeholder(tmp_path, bring_in):
    write_conversations(tmp_path / "conversations.db", {"s1": ITEMS, "": [USER]}, named=("s1",))
    report = bring_in(tmp_path)
    assert new(report)["placeholder_session"] == 1
    assert Message.objects.filter(session__session_id="orphans").count() == 1


def test_secrets_in_arguments_are_masked_and_sealed(tmp_path, bring_in):
    call = {**CALL, "arguments": json.dumps({"api_key": KEY})}
    bring_in(write_conversations(tmp_path / "conversations.db", {"s1": [call, ANSWER]}))
    assert ToolCall.objects.get().tool_input == {"api_key": "********"}
    sealed = SystemConfig.objects.get(section="tool_calls")
    assert sealed.unseal() == {"/tool_input/api_key": KEY}
    assert KEY not in str([list(model.objects.values()) for model in (ToolCall, SystemConfig, ImportFinding)])


def test_a_database_is_recognised_by_its_tables_also_while_they_are_in_its_log(tmp_path):
    write_conversations(tmp_path / "a" / "conversations.db")
    live = tmp_path / "live.db"
    base = sqlite3.connect(live)
    base.execute("PRAGMA journal_mode=WAL")
    base.execute("PRAGMA wal_autocheckpoint=0")
    base.executescript(SCHEMA)
    base.execute("INSERT INTO agent_messages (session_id, message_data) VALUES ('s1', ?)", (json.dumps(USER),))
    base.commit()
    (tmp_path / "b").mkdir()
    for suffix in ("", "-wal"):
        shutil.copy(f"{live}{suffix}", tmp_path / "b" / f"copy.db{suffix}")
    base.close()
    assert [detect(tmp_path / name) for name in "ab"] == ["openai_agents", "openai_agents"]
    assert len(Read(tmp_path / "b").records) == 1


def test_two_databases_may_call_two_conversations_the_same(tmp_path):
    write_conversations(tmp_path / "a.db", {"s1": [USER]})
    write_conversations(tmp_path / "b.db", {"s1": [{**USER, "content": "another"}]})
    assert len({item.record_id for item in Read(tmp_path).records}) == 2


def test_bad_rows_cost_no_others(tmp_path):
    items = {"x" * 300: [USER], "s1": [USER, {**USER, "content": "y" * 3000}, SAID]}
    found = Read(write_conversations(tmp_path / "x.db", items), line_bytes=1000)
    assert [item.session_id for item in found.items if isinstance(item, LegacySession)] == ["s1"]
    assert [item.session_id for item in found.records] == ["orphans", "s1", "s1"]
    assert found.codes() == {"bad_session_id", "session_id", "too_large"}


def test_a_damaged_database_and_one_of_others_are_told(tmp_path):
    data = write_conversations(tmp_path / "a.db", {"s1": ITEMS * 200}).read_bytes()
    (tmp_path / "a.db").write_bytes(data[: len(data) // 2])
    sqlite3.connect(tmp_path / "b.db").execute("CREATE TABLE x (y)").connection.close()
    found = Read(tmp_path)
    assert (found.items, [finding.code for finding in found.findings]) == ([], ["database", "database"])
    assert not [item for item in found.items if isinstance(item, LegacyConfig)]
