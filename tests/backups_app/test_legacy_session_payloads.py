"""Session payloads are read in every shape that they were saved in, and what is wrong with them is told."""

import json
import tracemalloc
from collections import Counter
from datetime import UTC, datetime

import pytest

from backups_app.legacy.files import READ_TO_LOOK
from backups_app.legacy.formats import FORMATS, detect
from backups_app.legacy.types import LegacyConfig, LegacyRecord, LegacySession, Level, Limits, Place, Reading

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


def of_members(form, *members):
    """A batch in one of its forms, of pieces of JSON text; as an object under the keys `k0`, `k1`, ..."""
    if form == "list":
        return b"[" + b",".join(members) + b"]"
    return b"{" + b",".join(b'"k%d": %b' % (number, member) for number, member in enumerate(members)) + b"}"


def text_of(session_id, **said):
    return json.dumps(payload(session_id, **said)).encode()


@pytest.mark.parametrize("form", ["list", "object"])
def test_a_batch_beyond_every_bound_is_read_a_session_at_a_time(tmp_path, form):
    ids = [f"k{number}" for number in range(450)]
    state = {"messages": [{"role": "user", "content": "x" * 30_000}]}
    (tmp_path / "x.json").write_bytes(of_members(form, *(text_of(name, state=state) for name in ids)))
    limits = Limits(document_bytes=100_000)
    found = []
    tracemalloc.start()
    for item in FORMATS["session_payloads"].open(tmp_path, Reading([].append, limits=limits)).items():
        if isinstance(item, LegacySession):
            found.append((item.session_id, item.place))
        del item
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    keys = map(str, range(len(ids))) if form == "list" else ids
    assert found == [(name, Place("x.json", table="batch", key=key)) for name, key in zip(ids, keys, strict=True)]
    assert peak < (tmp_path / "x.json").stat().st_size


@pytest.mark.parametrize(
    "damaged", [b'{"metadata": 1 2, "sk-FAKE0123456789abcdef": {}}', b"", b"{} {}", b"[" * 101 + b"]" * 101]
)
@pytest.mark.parametrize(("form", "key"), [("list", "1"), ("object", "k1")])
def test_a_damaged_member_of_a_batch_is_told_and_those_beside_it_come_in(tmp_path, form, key, damaged):
    found = Read(tmp_path, {"x.json": of_members(form, text_of("k0"), damaged, text_of("k2"))})
    assert list(found.sessions) == ["k0", "k2"]
    assert [place for _code, place in found.told(Level.REJECTED)] == [f"x.json batch[{key}]"]
    assert "FAKE" not in repr(found.findings)


@pytest.mark.parametrize(("form", "end", "sessions"), [
    ("list", b"", ["k0", "k1"]), ("list", b"}", ["k0", "k1"]), ("list", b"}}", ["k0", "k1", "k2"]),
    ("list", b"}] {}", ["k0", "k1", "k2"]), ("object", b"", []), ("object", b"}", []), ("object", b"}]", []),
    ("object", b"}} {}", []),
])  # fmt: skip
def test_of_a_batch_with_a_wrong_end_the_whole_elements_of_a_list_come_in(tmp_path, form, end, sessions):
    batch = of_members(form, text_of("k0"), text_of("k1"), text_of("k2"))
    found = Read(tmp_path, {"x.json": batch[:-2] + end})
    assert list(found.sessions) == sessions
    assert found.told(Level.REJECTED) == [("invalid_json", "x.json")]


def test_an_object_is_no_batch_where_its_last_keys_say_that_it_is_a_session(tmp_path):
    found = Read(tmp_path, {"x.json": {"copies": payload("inner"), **payload("outer")}})
    assert found.sessions.keys() == {"outer"}
    assert found.sessions["outer"].metadata["copies"] == payload("inner")


def test_of_one_key_twice_in_a_batch_the_later_session_counts(tmp_path):
    older, later = text_of("s1", status="failed"), text_of("s1", updated_at="2026-11-01T00:00:00Z")
    for number, (first, second) in enumerate([(older, later), (later, older)]):
        found = Read(tmp_path / str(number), {"x.json": b'{"s1": ' + first + b', "s1": ' + second + b"}"})
        assert [item.status for item in found.items if isinstance(item, LegacySession)] == ["completed"]
        assert found.told(Level.CONFLICT) == [("same_session_twice", "x.json batch[s1]")]


def test_what_had_to_be_replaced_in_a_batch_is_told_of_the_session_that_has_it(tmp_path):
    found = Read(tmp_path, {"x.json": {"s1": payload("s1"), "s2": payload("s2", settings={"title": "a\0"})}})
    assert found.told(Level.REPAIRED) == [("text_replaced", "x.json batch[s2]")]
    assert {name: session.repaired for name, session in found.sessions.items()} == {"s1": False, "s2": True}


@pytest.mark.parametrize("mark", ["utf-8-sig", "utf-16", "utf-16-be"])
def test_a_batch_with_a_byte_order_mark_is_read(tmp_path, mark):
    text = "\ufeff" * (mark == "utf-16-be") + json.dumps([payload("s1"), payload("s2")])
    found = Read(tmp_path, {"x.json": text.encode(mark)})
    assert list(found.sessions) == ["s1", "s2"]
    assert len(found.findings) == 1


def test_a_large_document_without_a_session_is_told(tmp_path):
    large = b"x" * READ_TO_LOOK
    found = Read(tmp_path, {
        "list.json": b'["' + large + b'"]', "object.json": b'{"a": "' + large + b'"}',
        "bad.json": b'{"a": "' + large + b'", "b": 1 2}', "cut.json": b'{"a": "' + large, "good.json": payload("good"),
    })  # fmt: skip
    assert list(found.sessions) == ["good"]
    assert found.told(Level.SKIPPED) == [("not_a_session", "list.json"), ("not_a_session", "object.json")]
    assert found.told(Level.REJECTED) == [("invalid_json", "bad.json"), ("invalid_json", "cut.json")]
