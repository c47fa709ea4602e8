"""Session payloads are read in every shape that they were saved in, and what is wrong with them is told."""

import json
from collections import Counter
from datetime import UTC, datetime

import pytest

from backups_app.legacy.files import READ_TO_LOOK
from backups_app.legacy.formats import FORMATS, detect
from backups_app.legacy.types import LegacyConfig, LegacyRecord, LegacySession, Level, Reading

BEGUN, CHANGED = "2026-10-01T08:00:00Z", "2026-10-01T09:00:00Z"
CALL = {
    "model": "gpt-4o",
    "provider": "openai",
    "parameters": {"temperature": 0},
    "response": "hi",
    "token_usage": {"prompt_tokens": 10, "completion_tokens": 2, "total_tokens": 12},
    "timestamp": "2026-10-01T08:00:02Z",
}
STATE = {
    "messages": [{"role": "user", "content": "hello", "timestamp": BEGUN}, {"role": "assistant", "content": "hi"}],
    "tool_calls": [{"tool_name": "search", "tool_input": {"q": 1}, "tool_output": [1], "success": True}],
    "llm_calls": [CALL, {"model": "o1", "provider": "openai", "response": None, "token_usage": None}],
    "errors": ["it broke"],
    "current_step": "end",
    "iteration_count": 1,
}


def payload(session_id="s1", state=STATE, settings=None, **metadata):
    told = {"session_id": session_id, "status": "completed", "created_at": BEGUN, "updated_at": CHANGED, **metadata}
    return {"metadata": told, "thread_configs": {}, "workflow_state": state, "settings": settings or {}}


class Read:
    """Everything that a folder of these files yields, and what it reports."""

    def __init__(self, root, files):
        for name, content in files.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
        self.findings = []
        self.items = list(FORMATS["session_payloads"].open(root, Reading(self.findings.append)).items())
        self.sessions = {item.session_id: item for item in self.items if isinstance(item, LegacySession)}
        self.records = [item for item in self.items if isinstance(item, LegacyRecord)]

    def told(self, level):
        return [(finding.code, str(finding.place)) for finding in self.findings if finding.level == level]


SHAPES = {
    "bare": payload(),
    "wrapped_service": {"id": "s1", "type": "session", "data": payload(), "metadata": payload()["metadata"]},
    "wrapped_adapter": {"id": "s1", "type": "session", "data": payload(), "created_at": CHANGED, "updated_at": CHANGED},
    "batch": {"s1": payload()},
    "listed": [payload()],
}


@pytest.mark.parametrize("shape", SHAPES)
def test_a_session_is_the_same_in_every_shape(tmp_path, shape):
    found = Read(tmp_path, {f"{shape}/x.json": SHAPES[shape]})
    assert (detect(tmp_path), found.findings) == ("session_payloads", [])
    session = found.sessions["s1"]
    assert (session.status, session.created_at) == ("completed", datetime(2026, 10, 1, 8, tzinfo=UTC))
    assert session.state == STATE
    kinds = Counter(record.kind for record in found.records)
    assert kinds == {
        "message": 2, "tool_call": 1, "llm_request": 2, "llm_response": 1, "token_usage": 1, "error": 1,
    }  # fmt: skip


def test_the_ids_of_records_do_not_depend_on_the_shape(tmp_path):
    reads = [Read(tmp_path / name, {"x.json": shape}) for name, shape in SHAPES.items()]
    ids = [[record.record_id for record in found.records] for found in reads]
    assert ids == [ids[0]] * len(SHAPES)
    assert len(set(ids[0])) == len(ids[0])


def test_a_model_call_is_a_request_an_answer_and_its_tokens(tmp_path):
    found = Read(tmp_path, {"x.json": payload()})
    by_kind = {record.kind: record for record in found.records if record.fields.get("model") == "gpt-4o"}
    request, response = by_kind["llm_request"], by_kind["llm_response"]
    assert request.fields["request_id"] == response.fields["request_id"] == request.record_id
    assert (request.fields["parameters"], response.fields["response"]) == ({"temperature": 0}, "hi")
    assert by_kind["token_usage"].fields["total_tokens"] == 12
    assert {record.timestamp.second for record in by_kind.values()} == {2}


def test_an_entry_without_a_time_has_that_of_the_one_before(tmp_path):
    state = {"messages": [{"content": 1, "role": "user", "timestamp": CHANGED}, {"role": "user"}, "loose"]}
    found = Read(tmp_path, {"x.json": payload(state=state)})
    assert [(r.timestamp.hour, r.fields["role"]) for r in found.records] == [(9, "user"), (9, "user"), (9, "system")]


def test_older_kinds_are_sessions_too(tmp_path):
    state = {"messages": [{"role": "user", "content": "a"}], "tool_results": [{"tool_name": "t", "output": 1}]}
    found = Read(tmp_path, {
        "state.json": {"metadata": payload("with-state")["metadata"], "state": state, "workflow_config": {"a": 1}},
        "free.json": {"session_id": "free", "user_id": "u", "created": 1764308342.0, "messages": [{"role": "user"}]},
        "named-by-file.json": {"messages": [{"role": "user", "content": "x"}]},
        "list.json": [{"session_id": "l1", "messages": []}, {"session_id": "l2", "messages": []}],
    })  # fmt: skip
    assert found.sessions.keys() == {"with-state", "free", "named-by-file", "l1", "l2"}
    free = found.sessions["free"]
    assert (free.user_id, free.status, free.created_at.year) == ("u", "inactive", 2025)
    (tool,) = [record for record in found.records if record.kind == "tool_call"]
    assert (tool.fields["tool_output"], tool.session_id) == (1, "with-state")
    assert found.sessions["named-by-file"].created_at.year == 1970
    assert ("no_time", "named-by-file.json") in found.told(Level.REPAIRED)


@pytest.mark.parametrize("content", [
    {"metadata": payload("s1")["metadata"], "state": STATE, "workflow_config": {}},
    {"session_id": "s1", "user_id": "u", "created": 1764308342.0, "messages": []},
    [{"session_id": "s1", "messages": []}],
])  # fmt: skip
def test_a_folder_of_nothing_but_older_kinds_is_recognised(tmp_path, content):
    found = Read(tmp_path, {"a/one.json": content})
    assert (detect(tmp_path), detect(tmp_path / "a/one.json")) == ("session_payloads", "session_payloads")
    assert found.sessions.keys() == {"s1"}


def test_a_large_document_is_recognised_by_its_beginning(tmp_path):
    large = {"s1": payload("s1", settings={"note": "x" * READ_TO_LOOK})}
    Read(tmp_path / "store", {"batch.json": large})
    Read(tmp_path / "other", {"batch.json": {"metadata": "x" * READ_TO_LOOK}})
    assert (detect(tmp_path / "store"), detect(tmp_path / "other")) == ("session_payloads", None)


def test_the_id_that_a_session_was_saved_under_wins_and_the_others_are_told(tmp_path):
    outside = {"id": "outer", "type": "session", "data": payload("inner"), "metadata": {"status": "active"}}
    found = Read(tmp_path, {"a.json": outside, "b.json": {"key": payload("inside"), "null": None, "text": "x"}})
    assert found.sessions.keys() == {"outer", "key"}
    assert found.sessions["outer"].status == "completed"
    assert found.sessions["outer"].metadata["wrapper"] == {
        "session_id_inside": "inner", "metadata": {"status": "active"},
    }  # fmt: skip
    assert found.told(Level.CONFLICT) == [("wrapper_differs", "a.json"), ("wrapper_differs", "b.json batch[key]")]
    assert [place for _code, place in found.told(Level.REJECTED)] == ["b.json batch[null]", "b.json batch[text]"]


def test_of_two_copies_the_later_one_counts_and_the_other_is_told_without_its_secrets(tmp_path):
    older = payload(settings={"api_key": "sk-FAKE0123456789abcdef"})
    found = Read(tmp_path, {"a.json": older, "b.json": payload(updated_at="2026-11-01T00:00:00Z", status="failed")})
    assert found.sessions["s1"].status == "failed"
    assert found.told(Level.CONFLICT) == [("same_session_twice", "a.json")]
    assert "FAKE" not in repr(found.findings)
    assert len(found.records) == len(Read(tmp_path / "one", {"b.json": payload()}).records)


def test_secrets_are_taken_out_of_a_session_and_handed_on_to_be_sealed(tmp_path):
    settings = {"api_key": "sk-FAKE0123456789abcdef", "llm": {"headers": {"Authorization": "Bearer abcdefgh12345678"}}}
    found = Read(tmp_path, {"x.json": payload(settings=settings)})
    (config,) = [item for item in found.items if isinstance(item, LegacyConfig)]
    assert config.key == "sessions.s1"
    assert config.secrets == {
        "/settings/api_key": "sk-FAKE0123456789abcdef",
        "/settings/llm/headers/Authorization": "Bearer abcdefgh12345678",
    }  # fmt: skip
    assert "FAKE" not in repr(found.sessions) + repr(found.findings) + repr(config)


def test_wrong_types_are_kept_as_found_and_told(tmp_path):
    odd = payload(state=[], user_id=42, tags="single", status=None, extra="kept")
    found = Read(tmp_path, {"x.json": {**odd, "thread_configs": None, "more": {"x": 1}}})
    session = found.sessions["s1"]
    assert session.metadata["as_found"] == {"user_id": 42, "tags": "single"}
    assert (session.metadata["extra"], session.metadata["more"], session.metadata["workflow_state"]) == (
        "kept", {"x": 1}, [],
    )  # fmt: skip
    assert {code for code, _place in found.told(Level.REPAIRED)} == {"workflow_state", "status", "user_id", "tags"}


@pytest.mark.parametrize("content", [
    b"", b"{", b'{"metadata": {"session_id": "x"}, "settings": {"api_key": "sk-FAKE0123456789abcdef"',
    "{\"metadata\": {}, \"settings\": \"中文\"}".encode("gbk"), b"[1, 2]", b"null",
    b'{"id": 1, "type": "session", "data": 1}',
    b'{"id": 7, "type": "session", "data": {}}', b'{"id": "x", "type": "other", "data": {}}', b"{} {}", b"[" * 5000,
    b'{"metadata": {"session_id": "s"}, "settings": {}, "workflow_state": {"messages": 7}}',
    b'{"metadata": {"session_id": "s"}, "settings": {}, "workflow_state": {"llm_calls": [3], "tool_calls": {"a": 1}}}',
])  # fmt: skip
def test_a_bad_file_is_told_without_its_text_and_stops_nothing(tmp_path, content):
    found = Read(tmp_path, {"bad.json": content, "good.json": payload("good")})
    assert "good" in found.sessions
    assert [f for f in found.findings if f.place.path == "bad.json" and f.level in (Level.REJECTED, Level.SKIPPED)]
    assert "FAKE" not in repr(found.findings)
