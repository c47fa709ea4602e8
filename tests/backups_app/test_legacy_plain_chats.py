"""Plain chats come in whatever form they were handed about in, in bounded memory, each under the id of its place."""

import gzip
import json
import tracemalloc
from datetime import UTC
from pathlib import Path

import pytest

from backups_app.legacy.files import READ_TO_LOOK
from backups_app.legacy.formats import FORMATS, detect
from backups_app.legacy.types import LegacyConfig, LegacyRecord, LegacySession, Limits, Reading
from tests.backups_app.real_stores import REAL, with_real_stores
from tests.samples.plain_chats import CHAT, OPENAI, SHAREGPT, lines, write


class Read:
    """Everything that a path yields, and what it reports."""

    def __init__(self, path, **limits):
        self.findings = []
        self.store = FORMATS["plain_chats"].open(path, Reading(self.findings.append, UTC, Limits(**limits)))
        self.items = list(self.store.items())
        self.sessions = {item.session_id: item for item in self.items if isinstance(item, LegacySession)}
        self.records = [item for item in self.items if isinstance(item, LegacyRecord)]

    def said(self):
        return [(r.fields["role"], r.fields["content"]) for r in self.records if r.kind == "message"]

    def calls(self):
        return [r for r in self.records if r.kind == "tool_call"]

    def told(self):
        return [(finding.code, str(finding.place)) for finding in self.findings]


@pytest.mark.parametrize(("name", "content", "chats"), [
    ("a.json", CHAT, 1), ("a.json", [CHAT, CHAT], 2), ("a.json", {"messages": CHAT}, 1),
    ("a.json", [{"messages": CHAT}, {"messages": CHAT}], 2), ("a.jsonl", lines({"messages": CHAT}, CHAT), 2),
    ("a.ndjson", lines(*CHAT), 1), ("a.json", lines({"messages": CHAT}, {"messages": CHAT}), 2),
    ("a.json.gz", [CHAT], 1), ("a.jsonl.gz", lines(CHAT), 1), ("a.json", b"\xef\xbb\xbf" + lines(CHAT), 1),
    ("a.json", json.dumps([CHAT], indent=2).encode("utf-16"), 1),
    ("a.json", [{"conversations": [{"from": m["role"], "value": m["content"]} for m in CHAT]}], 1),
])  # fmt: skip
def test_a_chat_is_read_in_every_form(tmp_path, name, content, chats):
    path = write(tmp_path / name, content)
    found = Read(path)
    assert (detect(path), detect(tmp_path), len(found.sessions)) == ("plain_chats", "plain_chats", chats)
    assert found.said() == [(m["role"], m["content"]) for m in CHAT] * chats
    assert all(item.state is None for item in found.sessions.values())
    assert {code for code, _ in found.told()} - {"byte_order_mark", "utf16"} == {"no_time"}
    assert found.store.bytes_read == found.store.bytes == path.stat().st_size


def test_what_openai_writes_comes_with_its_calls_of_tools(tmp_path):
    found = Read(write(tmp_path / "a.json", OPENAI))
    session = found.sessions["chat-7"]
    assert (session.title, session.user_id, session.metadata) == (
        "Weather", "ada", {"id": "chat-7", "model": "gpt-4o", "origin": "a.json"},
    )  # fmt: skip
    assert (session.created_at.isoformat(), session.status) == ("2026-10-01T08:00:00+00:00", "inactive")
    assert found.said()[0] == ("system", [{"type": "text", "text": "Be short."}])
    told = ("tool_name", "tool_input", "tool_output", "status")
    assert [tuple(call.fields[name] for name in told) for call in found.calls()] == [
        ("rain", {"in": "Rome"}, "no", "success"), ("wind", "{broken", None, "pending"),
    ]  # fmt: skip
    asked = next(r for r in found.records if r.fields.get("content", "") is None)
    assert [call["id"] for call in asked.fields["metadata"]["tool_calls"]] == ["c1", "c2"]
    assert found.findings == []


def test_what_sharegpt_writes_comes_with_its_calls_of_tools(tmp_path):
    found = Read(write(tmp_path / "a.jsonl", lines(SHAREGPT)))
    (session,) = found.sessions.values()
    assert (session.metadata["id"], session.metadata["origin"]) == (3, "a.jsonl#1")
    assert found.said() == [
        ("system", "Be short."), ("user", "Rain?"), ("assistant", '{"name": "rain", "arguments": {}}'), ("tool", "no"),
        ("assistant", "No rain."),
    ]  # fmt: skip
    assert [(call.fields["tool_name"], call.fields["tool_output"]) for call in found.calls()] == [("rain", "no")]
    assert found.records[-2].fields["metadata"] == {"original_role": "gpt", "weight": 0}


def test_ids_come_from_the_place_of_origin_and_stay(tmp_path):
    write(tmp_path / "a/x.jsonl", lines(CHAT, CHAT))
    write(tmp_path / "b/x.jsonl", lines(CHAT))
    first = Read(tmp_path)
    write(tmp_path / "a/x.jsonl", lines(CHAT, [*CHAT, *CHAT], CHAT))
    later = Read(tmp_path)
    assert len(first.sessions) == 3
    assert first.sessions.keys() < later.sessions.keys()
    assert {r.record_id for r in first.records} < {r.record_id for r in later.records}
    assert len({(r.session_id, r.record_id) for r in later.records}) == len(later.records) == 15


def test_times_that_are_named_are_taken_and_an_id_counts_once(tmp_path):
    timed = [{**CHAT[1], "created_at": "2026-10-01T08:00:00Z"}, CHAT[2], {**CHAT[1], "create_time": 1_790_841_660.5}]
    found = Read(write(tmp_path / "a.json", [{"id": "x", "messages": timed}, {"id": "x", "messages": timed}]))
    assert [r.timestamp.isoformat()[11:23] for r in found.records[:3]] == [
        "08:00:00+00:",
        "08:00:00+00:",
        "08:01:00.500",
    ]
    assert found.sessions["x"].updated_at.isoformat() == "2026-10-01T08:01:00.500000+00:00"
    assert len(found.sessions) == 2
    assert found.told() == [("same_id_twice", "a.json chat[1]")]


def test_what_is_no_chat_is_told_and_the_others_come(tmp_path):
    write(tmp_path / "a.jsonl", b"\n".join([b"{", lines(CHAT), b'{"x": 1}', b'"text"', b"[" * 5000, lines(CHAT)]))
    write(tmp_path / "b.json", [CHAT, 1, {"messages": []}])
    write(tmp_path / "c.json", {"name": "package"})
    write(tmp_path / "notes.txt", b"x")
    found = Read(tmp_path)
    assert len(found.sessions) == 3
    assert [told for told in found.told() if told[0] != "no_time"] == [
        ("stray_file", "notes.txt"), ("invalid_json", "a.jsonl:1"), ("not_a_chat", "a.jsonl:4"),
        ("not_a_chat", "a.jsonl:5"), ("nested_too_deep", "a.jsonl:6"), ("not_a_chat", "b.json chat[1]"),
        ("not_a_chat", "b.json chat[2]"), ("not_a_chat", "c.json"),
    ]  # fmt: skip


def test_odd_messages_are_kept_as_they_are_and_told(tmp_path):
    odd = [*CHAT, {"role": "narrator", "content": "so"}, "a bare text", None, {"role": "user", "content": {"a": 1}}]
    found = Read(write(tmp_path / "a.json", {"messages": odd}))
    assert found.said()[3:] == [("system", "so"), ("system", "a bare text"), ("system", None), ("user", {"a": 1})]
    assert found.told() == [("role", "a.json messages[3]"), ("no_time", "a.json")]


def test_a_secret_beside_the_messages_is_taken_out_to_be_sealed(tmp_path):
    found = Read(write(tmp_path / "a.json", {"messages": CHAT, "api_key": "sk-FAKE0123456789abcdef"}))
    (config,) = [item for item in found.items if isinstance(item, LegacyConfig)]
    assert config.secrets == {"/metadata/api_key": "sk-FAKE0123456789abcdef"}
    assert "FAKE" not in repr(found.sessions) + repr(found.findings)


@pytest.mark.timeout(60)
@pytest.mark.parametrize(("name", "content", "told"), [
    ("a.json", b"[[1,", "unreadable"), ("a.json", b"[" + b" " * 300_000, "unreadable"),
    ("a.json", b"[" * 100_000 + b"]" * 100_000, "nested_too_deep"),
    ("a.json", b'{"messages":' + b"[" * 100_000, "nested_too_deep"),
    ("a.json", b'["' + b"x" * 3_000_000 + b'"]', "too_long"),
    ("a.json", b'{"x":"' + b"x" * 3_000_000 + b'"}', "unreadable"),
    ("a.jsonl", b'"' + b"x" * 3_000_000 + b'"', "too_long"), ("a.jsonl.gz", b'"' + b"x" * 20_000_000, "unreadable"),
    ("a.json.gz", b'["' + b"x" * 20_000_000, "unreadable"), ("a.jsonl.gz", b"[]\n" * 7_000_000, "no_chats"),
])  # fmt: skip
def test_a_bomb_is_told_in_bounded_memory(tmp_path, name, content, told):
    path = write(tmp_path / name, content)
    del content
    tracemalloc.start()
    found = Read(path, line_bytes=1_000_000, document_bytes=2_000_000)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found.items == []
    assert found.told()[-1][0] == told
    assert peak < 30_000_000


def test_a_list_beyond_every_bound_is_read_a_chat_at_a_time(tmp_path):
    path = write(tmp_path / "a.json", [{"messages": [{"role": "user", "content": "x" * 1000}]}] * 5_000)
    count, peak = 0, 0
    tracemalloc.start()
    store = FORMATS["plain_chats"].open(path, Reading([].append, UTC, Limits(document_bytes=2_000_000)))
    for item in store.items():
        count += isinstance(item, LegacyRecord)
        del item
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count == 5_000
    assert peak < path.stat().st_size


@pytest.mark.timeout(60)
def test_looking_at_a_large_file_takes_little_memory(tmp_path):
    write(tmp_path / "zeros/a.jsonl", bytes(8 * READ_TO_LOOK))
    write(tmp_path / "lists/a.json", b'{"messages": [' + b"{}," * READ_TO_LOOK + b"{}]}")
    chat = write(tmp_path / "chat/a.json", {"id": "t", "messages": [{"role": "user", "content": "x" * READ_TO_LOOK}]})
    tracemalloc.start()
    found = [detect(tmp_path / "zeros"), detect(tmp_path / "lists"), detect(chat)]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found == [None, None, "plain_chats"]
    assert peak < 4 * READ_TO_LOOK


def test_lines_that_name_their_session_are_chats_and_records_of_a_history_are_none(tmp_path):
    named = write(tmp_path / "a.jsonl", lines({"session_id": "s1", "messages": CHAT}))
    record = {"record_type": "llm_request", "session_id": "s1", "messages": CHAT}
    assert (detect(named), detect(write(tmp_path / "b.jsonl", lines(record)))) == ("plain_chats", None)
    assert Read(named).sessions.keys() == {"s1"}


@with_real_stores
def test_real_conversations_are_whole(tmp_path):
    for path in (REAL / "originals/hiyouga__LLaMA-Factory").rglob("*.jsonl.gz"):
        write(tmp_path / path.name, gzip.decompress(path.read_bytes()))
    found = Read(tmp_path)
    assert (len(found.sessions), len(found.said()), len(found.calls())) == (195, 1249, 137)
    assert {call.fields["status"] for call in found.calls()} == {"success"}
    assert {code for code, _ in found.told()} == {"no_time"}


@with_real_stores
@pytest.mark.parametrize("kind", ["stores", "dirty"])
def test_no_store_is_taken_for_another(kind):
    found = {path.name: detect(path) for path in (REAL / kind).iterdir()}
    assert found == {name: name for name in found}
    assert len(found) == 5


@with_real_stores
@pytest.mark.parametrize("part", [
    "stores/session_payloads/legacy_free", "stores/session_payloads/bare", "stores/blueplan/data/conversation",
    "stores/history_store/history", "stores/history_store/sessions", "dirty/session_payloads/old_list.json",
])  # fmt: skip
def test_a_part_of_another_store_is_not_taken_for_chats(part):
    path = REAL / Path(part)
    assert path.exists()
    assert detect(path) != "plain_chats"
