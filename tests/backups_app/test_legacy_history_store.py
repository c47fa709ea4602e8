"""A store of document 000 is read whole: what is good is yielded, what is not is reported with its place."""

import gzip
import json
import os
from collections import Counter

import pytest

from backups_app.legacy.formats import FORMATS, detect
from backups_app.legacy.types import (
    LegacyConfig,
    LegacyRecord,
    LegacySession,
    LegacyWorkflow,
    Level,
    Limits,
    Place,
    Reading,
)
from tests.samples.history_store import (
    message,
    record,
    session_row,
    write,
    write_database,
    write_history,
    write_session,
)


class Read:
    """Everything that a store yields, and what it reports."""

    def __init__(self, root, **limits):
        self.findings = []
        self.store = FORMATS["history_store"].open(root, Reading(self.findings.append, limits=Limits(**limits)))
        self.items = list(self.store.items())

    def of(self, kind):
        return [item for item in self.items if isinstance(item, kind)]

    def records(self, kind=None):
        return [item for item in self.of(LegacyRecord) if kind in (None, item.kind)]

    def session(self, session_id):
        (found,) = [item for item in self.of(LegacySession) if item.session_id == session_id]
        return found

    def codes(self, level):
        return [finding.code for finding in self.findings if finding.level == level]

    def places(self, level):
        return [str(finding.place) for finding in self.findings if finding.level == level]


def test_a_store_is_recognised_by_what_lies_in_it(tmp_path):
    assert detect(tmp_path) is None
    write_history(tmp_path, "s1", [message("s1", 1)])
    assert detect(tmp_path) == "history_store"


def test_one_level_of_data_folder_is_the_same_store(tmp_path):
    write_session(tmp_path / "data", "s1")
    assert detect(tmp_path) == "history_store"
    assert Read(tmp_path).session("s1").status == "active"


def test_every_key_of_a_session_file_survives(tmp_path):
    state = {"messages": [{"role": "user", "content": "hi"}], "mood": "calm", "iteration_count": 2}
    write_session(
        tmp_path, "s1", state=state, user_id="u1", title="Refund", tags=["vip"], source="mail", status="error"
    )
    found = Read(tmp_path).session("s1")
    assert (found.user_id, found.title, found.tags, found.run_id) == ("u1", "Refund", ["vip"], "run-s1")
    assert (found.status, found.metadata) == ("failed", {"source": "mail", "status_as_found": "error"})
    assert (found.state, found.agent_config, found.workflow) == (state, {"model": "gpt-4o"}, "react")


@pytest.mark.parametrize(
    ("word", "status"),
    [("running", "active"), ("COMPLETED", "completed"), (None, "inactive"), ("paused ", "paused"), (3, "inactive"),
     ("unknown", "inactive"), ("error", "failed")],
)  # fmt: skip
def test_a_status_is_mapped_and_the_word_is_kept(tmp_path, word, status):
    write_session(tmp_path, "s1", status=word)
    found = Read(tmp_path).session("s1")
    assert (found.status, found.metadata["status_as_found"]) == (status, word)


@pytest.mark.parametrize("session_id", ["../../../etc/evil", "a/b", "..", "C:\\x", " ", "\u0631"])
def test_odd_ids_are_plain_data(tmp_path, session_id):
    write(tmp_path, "sessions/odd.json", json.dumps({"metadata": {"session_id": session_id}}))
    assert Read(tmp_path).session(session_id).session_id == session_id


@pytest.mark.parametrize("session_id", ["", "x" * 256, "nul\x00id", None, 12345, "half\ud83d"])
def test_ids_that_cannot_be_are_rejected_with_the_file(tmp_path, session_id):
    write(tmp_path, "sessions/odd.json", json.dumps({"metadata": {"session_id": session_id}}))
    read = Read(tmp_path)
    assert (read.of(LegacySession), read.codes(Level.REJECTED)) == ([], ["bad_session_id"])
    assert read.findings[-1].raw


def test_a_session_without_an_id_is_called_as_its_file(tmp_path):
    for number, text in enumerate(('{"metadata": null}', '{"metadata": {}}', '{"state": {}}')):
        write(tmp_path, f"sessions/shape-{number}.json", text)
    read = Read(tmp_path)
    assert {item.session_id for item in read.of(LegacySession)} == {"shape-0", "shape-1", "shape-2"}
    assert read.codes(Level.REPAIRED).count("session_id") == 3


@pytest.mark.parametrize("text", ["[]", '"text"', "null", "{}", "", '{"metadata": {"session', '{"other": 1}'])
def test_a_file_that_is_no_session_is_rejected(tmp_path, text):
    write(tmp_path, "sessions/x.json", text)
    read = Read(tmp_path)
    assert (read.of(LegacySession), read.places(Level.REJECTED)) == ([], ["sessions/x.json"])


def test_metadata_alone_is_a_session_too(tmp_path):
    write(tmp_path, "sessions/s1_meta.json", json.dumps({"session_id": "s1", "status": "paused"}))
    assert Read(tmp_path).session("s1").status == "paused"


def test_wrong_types_are_kept_as_found(tmp_path):
    write_session(tmp_path, "s1", user_id=42, tags="single", created_at="soon", agent_config=[1])
    found = Read(tmp_path).session("s1")
    assert found.metadata["as_found"] == {"user_id": 42, "tags": "single", "created_at": "soon", "agent_config": [1]}
    assert found.repaired
    assert found.created_at == found.updated_at


def test_the_index_is_no_session_and_is_not_followed(tmp_path):
    write(tmp_path, "sessions/index.json", json.dumps({"sessions": {"evil": {"history_file": "/etc/passwd"}}}))
    read = Read(tmp_path)
    assert (read.items, read.codes(Level.SKIPPED)) == ([], ["index"])


def test_records_come_in_time_order_and_ties_as_they_stand(tmp_path):
    write_history(
        tmp_path, "s1", [message("s1", 9), {**message("s1", 3), "record_id": "tie"}, message("s1", 3), message("s1", 1)]
    )
    assert [item.record_id for item in Read(tmp_path).records()] == ["message_1", "tie", "message_3", "message_9"]


def test_one_session_in_two_months_is_one_conversation(tmp_path):
    write_history(tmp_path, "s1", [message("s1", 5), message("s1", 1)], month="202611")
    write_history(tmp_path, "s1", [message("s1", 3)], month="202610")
    assert [item.record_id for item in Read(tmp_path).records()] == ["message_1", "message_3", "message_5"]


def test_a_group_too_large_is_read_as_it_stands(tmp_path):
    write_history(tmp_path, "s1", [message("s1", 2), message("s1", 1)])
    read = Read(tmp_path, sorted_group_bytes=100)
    assert [item.record_id for item in read.records()] == ["message_2", "message_1"]
    assert read.codes(Level.NOTE) == ["file_order"]


def test_bad_lines_are_rejected_with_their_number_and_text(tmp_path):
    lines = [message("s1", 1), "", "  \t", '{"record_id": "broken", "content": ', "[1]", message("s1", 2)]
    write_history(tmp_path, "s1", lines)
    read = Read(tmp_path)
    assert len(read.records()) == 2
    assert read.places(Level.REJECTED) == ["history/202610/s1.jsonl:4", "history/202610/s1.jsonl:5"]
    assert read.findings[0].raw == lines[3]


@pytest.mark.parametrize("record_type", ["reflection", "MESSAGE", None, 7, [], {}])
def test_unknown_record_types_are_rejected_with_the_record(tmp_path, record_type):
    write_history(tmp_path, "s1", [{**message("s1", 1), "record_type": record_type}])
    read = Read(tmp_path)
    assert (read.records(), read.codes(Level.REJECTED)) == ([], ["unknown_record_type"])
    assert "message_1" in read.findings[-1].raw


def test_unknown_keys_go_to_the_metadata(tmp_path):
    write_history(tmp_path, "s1", [message("s1", 1, trace="t-1")])
    assert Read(tmp_path).records()[0].fields["metadata"] == {"trace": "t-1"}


@pytest.mark.parametrize(
    "content", [None, ["多", {"type": "text", "text": "part"}], {"a": 1}, 5, "", "   ", "x" * 70_000]
)
def test_content_keeps_its_shape(tmp_path, content):
    write_history(tmp_path, "s1", [message("s1", 1, content)])
    assert Read(tmp_path).records()[0].fields["content"] == content


def test_a_role_of_another_name_is_kept_beside_the_nearest(tmp_path):
    write_history(
        tmp_path,
        "s1",
        [{**message("s1", 1), "message_type": "developer"}, {**message("s1", 2), "message_type": "User"}],
    )
    one, two = Read(tmp_path).records()
    assert (one.fields["role"], one.fields["metadata"]["original_role"]) == ("system", "developer")
    assert (two.fields["role"], two.fields["metadata"]["original_role"]) == ("user", "User")


@pytest.mark.parametrize(
    ("success", "status"), [(True, "success"), (False, "error"), (None, "pending"), ("yes", "pending")]
)
def test_success_becomes_a_status(tmp_path, success, status):
    write_history(
        tmp_path, "s1", [record("tool_call", "s1", 1, tool_name="search", success=success, execution_time=-1)]
    )
    fields = Read(tmp_path).records()[0].fields
    assert (fields["status"], fields["execution_time"]) == (status, None)
    assert fields["metadata"]["as_found"]["execution_time"] == -1


def test_a_bad_time_takes_that_of_the_record_before_and_is_kept(tmp_path):
    write_session(tmp_path, "s1")
    write_history(
        tmp_path,
        "s1",
        [{**message("s1", 1), "timestamp": "soon"}, message("s1", 30), {**message("s1", 31), "timestamp": None}],
    )
    first, second, third = Read(tmp_path).records()
    assert (first.timestamp.isoformat(), third.timestamp) == ("2026-10-01T08:00:00+00:00", second.timestamp)
    assert (first.fields["metadata"], third.fields["metadata"]) == (
        {"timestamp_as_found": "soon"},
        {"timestamp_as_found": None},
    )


def test_a_bad_time_without_anything_before_it_is_the_month(tmp_path):
    write_history(tmp_path, "s1", [{**message("s1", 1), "timestamp": -1}])
    read = Read(tmp_path)
    assert read.records()[0].timestamp.isoformat() == "2026-10-01T00:00:00+00:00"
    assert read.codes(Level.REPAIRED) == ["timestamp"]


def test_counts_that_disagree_are_kept_and_reported(tmp_path):
    usage = {"model": "gpt-4o", "prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 99}
    write_history(
        tmp_path,
        "s1",
        [record("token_usage", "s1", 1, **usage), record("token_usage", "s1", 2, **usage | {"prompt_tokens": -10})],
    )
    read = Read(tmp_path)
    one, two = (item.fields for item in read.records())
    assert (one["prompt_tokens"], one["total_tokens"]) == (10, 99)
    assert (two["prompt_tokens"], two["metadata"]) == (None, {"as_found": {"prompt_tokens": -10}})
    assert read.codes(Level.REPAIRED) == ["token_sum", "token_count"]


def test_costs_are_read_under_their_names_and_never_mixed(tmp_path):
    costs = [
        {"cost": 0.25},
        {"total_cost": "0.25"},
        {"cost_usd": 0.25},
        {"total_cost": 0.25, "currency": "CNY"},
        {"cost": 1, "cost_usd": 2},
    ]
    write_history(tmp_path, "s1", [record("cost", "s1", number, **cost) for number, cost in enumerate(costs)])
    read = Read(tmp_path)
    assert [str(item.fields["total_cost"]) for item in read.records()] == ["0.25", "0.25", "0.25", "None", "1"]
    assert read.records()[3].fields["metadata"] == {"as_found": {"total_cost": 0.25}, "currency": "CNY"}
    assert read.records()[4].fields["metadata"] == {"cost_usd": 2}


def test_responses_are_joined_to_the_latest_request_of_their_model(tmp_path):
    def call(kind, number, model="a", **fields):
        return record(kind, "s1", number, model=model, **fields)

    write_history(tmp_path, "s1", [
        call("llm_request", 1), call("llm_request", 2, "b"), call("llm_response", 3), call("llm_response", 4, "b"),
        call("llm_request", 5, request_id="mine"), call("llm_response", 6, metadata={"request_id": "mine"}),
        call("llm_response", 7), call("llm_response", 3),
    ])  # fmt: skip
    joined = {item.record_id: item.fields["request_id"] for item in Read(tmp_path).records()}
    assert joined == {
        "llm_request_1": "llm_request_1", "llm_response_3": "llm_request_1", "llm_request_2": "llm_request_2",
        "llm_response_4": "llm_request_2", "llm_request_5": "mine", "llm_response_6": "mine", "llm_response_7": None,
    }  # fmt: skip


def test_a_file_written_backwards_is_joined_the_right_way_round(tmp_path):
    calls = [record(kind, "s1", number, model="a") for number in (1, 5) for kind in ("llm_request", "llm_response")]
    write_history(tmp_path, "s1", list(reversed(calls)))
    answers = Read(tmp_path).records("llm_response")
    assert [item.fields["request_id"] for item in answers] == ["llm_request_1", "llm_request_5"]


def test_the_record_is_trusted_over_the_name_of_its_file(tmp_path):
    write_history(tmp_path, "s1-copy", [message("s1", 1), message("s1", 2)])
    read = Read(tmp_path)
    assert {item.session_id for item in read.records()} == {"s1"}
    assert read.codes(Level.NOTE) == ["file_name_differs"]


def test_an_aggregated_file_is_no_session(tmp_path):
    write_history(
        tmp_path, "aggregated_202610", [message("s1", 1), message("s2", 1), {**message("s3", 1), "session_id": None}]
    )
    read = Read(tmp_path)
    assert Counter(item.session_id for item in read.records()) == {"s1": 1, "s2": 1}
    assert (read.codes(Level.NOTE), read.codes(Level.REJECTED)) == ([], ["bad_session_id"])


def test_a_record_without_an_id_gets_the_same_one_every_time(tmp_path):
    write_history(tmp_path, "s1", [{**message("s1", 1), "record_id": None}, {**message("s1", 2), "record_id": 7}])
    first, second = ([item.record_id for item in Read(tmp_path).records()] for _run in range(2))
    assert first == second
    assert first[0].startswith("made:")
    assert first[1] == "7"


def test_lines_end_at_line_feeds_alone(tmp_path):
    text = "line\u2028sep\u2029para\x85nel\x0bvt"
    write(
        tmp_path, "history/202610/s1.jsonl", (json.dumps(message("s1", 1, text), ensure_ascii=False) + "\r\n").encode()
    )
    assert Read(tmp_path).records()[0].fields["content"] == text


def test_marks_at_the_beginning_of_a_file_are_understood(tmp_path):
    line = json.dumps(message("s1", 1, "你好"), ensure_ascii=False) + "\n"
    write(tmp_path, "history/202610/s1.jsonl", line.encode("utf-8-sig"))
    write(tmp_path, "history/202610/s2.jsonl", line.replace("s1", "s2").encode("utf-16"))
    read = Read(tmp_path)
    assert [item.fields["content"] for item in read.records()] == ["你好", "你好"]
    assert (read.codes(Level.NOTE), read.codes(Level.REPAIRED)) == (["byte_order_mark"], ["utf16"])


def test_other_encodings_are_rejected_not_guessed(tmp_path):
    line = json.dumps(message("s1", 1, "你好"), ensure_ascii=False)
    write(tmp_path, "history/202610/s1.jsonl", line.encode("gbk") + b"\n")
    write(tmp_path, "history/202610/s2.jsonl", b"\xff\xfe{\x00x")
    read = Read(tmp_path)
    assert (read.records(), read.codes(Level.REJECTED)) == ([], ["not_utf8", "unreadable"])


def test_packed_files_are_read_to_where_they_are_good(tmp_path):
    lines = "".join(json.dumps(message("s1", number)) + "\n" for number in range(50)).encode()
    write(tmp_path, "history/202610/s1.jsonl.gz", gzip.compress(lines))
    assert len(Read(tmp_path).records()) == 50
    write(tmp_path, "history/202610/s1.jsonl.gz", gzip.compress(lines)[:-20])
    assert Read(tmp_path).codes(Level.REJECTED)[-1] == "unreadable"


def test_a_packed_file_that_swells_is_given_up(tmp_path):
    write(tmp_path, "history/202610/s1.jsonl.gz", gzip.compress((b" " * 1000 + b"\n") * 40_000))
    read = Read(tmp_path, unpack_ratio=2)
    assert read.codes(Level.REJECTED) == ["unreadable"]


def test_a_line_over_the_limit_is_rejected_and_the_next_is_read(tmp_path):
    write_history(tmp_path, "s1", [message("s1", 1, "x" * 5000), message("s1", 2)])
    read = Read(tmp_path, line_bytes=4000)
    assert [item.record_id for item in read.records()] == ["message_2"]
    assert (read.codes(Level.REJECTED), read.places(Level.REJECTED)) == (
        ["line_too_long"],
        ["history/202610/s1.jsonl:1"],
    )


def test_links_pipes_and_stray_files_are_named_and_left_alone(tmp_path):
    outside, root = tmp_path / "outside", tmp_path / "store"
    write_history(outside, "secret", [message("OUTSIDE", 1)])
    write_history(root, "s1", [message("s1", 1)])
    folder = root / "history/202610"
    (folder / "link.jsonl").symlink_to(outside / "history/202610/secret.jsonl")
    (root / "history/202611").symlink_to(outside / "history/202610")
    (root / "history/loop").symlink_to(".")
    os.mkfifo(folder / "fifo.jsonl")
    for name in (".DS_Store", "Thumbs.db", ".x.jsonl.swp", "x.jsonl~"):
        write(root, f"history/202610/{name}", b"\x00\x01")
    read = Read(root)
    assert [item.session_id for item in read.records()] == ["s1"]
    assert Counter(read.codes(Level.SKIPPED)) == {"not_followed": 4, "stray_file": 4}


def test_the_state_speaks_where_there_is_no_history_at_all(tmp_path):
    said = [{"role": "user", "content": "hi", "mood": "calm"}, "bare text"]
    write_session(tmp_path, "s1", state={"messages": said})
    write_session(tmp_path, "s2", state={"messages": said})
    write(tmp_path, "history/202610/s2.jsonl", b"")
    first, second = Read(tmp_path).records()
    assert (first.session_id, first.record_id, first.fields["content"]) == ("s1", "state:0", "hi")
    assert first.fields["metadata"] == {"origin": "state.messages", "mood": "calm"}
    assert (second.fields["role"], second.fields["content"]) == ("system", "bare text")
    assert first.timestamp.isoformat() == "2026-10-01T08:00:00+00:00"


def test_configuration_comes_from_files_and_rows_with_its_secrets_apart(tmp_path):
    write(tmp_path, "configs/global.yaml", "log_level: INFO\n")
    write(tmp_path, "configs/llms/gpt-4o.yaml", "model_name: gpt-4o\napi_key: sk-FAKE0123456789abcdef\n")
    rows = [
        ("limit", "10", "system", "2026-10-01 00:00:00"),
        ("db_password", "hunter2", "system", None),
        ("word", "INFO", "user", None),
    ]
    write_database(tmp_path / "data/sessions/metadata.db", {"configurations": rows})
    read = Read(tmp_path)
    found = {(item.section, item.key): (item.value, item.secrets) for item in read.of(LegacyConfig)}
    assert found == {
        ("global", "global"): ({"log_level": "INFO"}, {}),
        ("llms", "llms.gpt-4o"): (
            {"model_name": "gpt-4o", "api_key": "********"},
            {"/api_key": "sk-FAKE0123456789abcdef"},
        ),
        ("system", "limit"): (10, {}),
        ("system", "db_password"): ("********", {"": "hunter2"}),
        ("user", "word"): ("INFO", {}),
    }
    assert "hunter2" not in repr(read.items) + repr(read.findings)
    assert "sk-FAKE" not in repr(read.items) + repr(read.findings)


def test_a_workflow_is_made_of_its_file_and_its_row(tmp_path):
    write(tmp_path, "configs/workflows/react.yaml", "name: React\nversion: '1.0'\nnodes: [{id: think}]\nedges: []\n")
    row = (
        "react",
        "react",
        "thinks",
        "1.0",
        "configs/workflows/react.yaml",
        "2026-10-01T00:00:00Z",
        None,
        7,
        '{"nodes": [], "extra": 1}',
    )
    write_database(tmp_path / "metadata.db", {"workflows": [row]})
    read = Read(tmp_path)
    (found,) = read.of(LegacyWorkflow)
    assert (found.name, found.title, found.description, found.usage_count) == ("react", "React", "thinks", 7)
    assert found.definition == {"nodes": [{"id": "think"}], "edges": [], "extra": 1}
    assert read.codes(Level.CONFLICT) == ["file_and_row_differ"]


def test_a_session_of_file_and_row_is_one_and_the_later_wins(tmp_path):
    write_session(tmp_path, "s1", updated_at="2026-10-01T09:00:00Z")
    newer = session_row(
        "s1", status="error", updated_at="2026-10-02T00:00:00", metadata='{"user_id": "u1", "source": "mail"}'
    )
    write_database(tmp_path / "metadata.db", {"sessions": [newer, session_row("only-a-row")]})
    read = Read(tmp_path)
    found = read.session("s1")
    assert (found.status, found.user_id, found.metadata) == (
        "failed",
        "u1",
        {"source": "mail", "status_as_found": "error"},
    )
    assert read.session("only-a-row").place == Place("metadata.db", table="sessions", key="only-a-row")
    assert read.codes(Level.CONFLICT) == ["file_and_row_differ"]
    assert len(read.of(LegacySession)) == 2


def test_statistics_become_metrics_and_repeated_errors_are_marked(tmp_path):
    told = {"error_type": "Timeout", "error_message": "slow", "stack_trace": "", "severity": "error"}
    write_history(tmp_path, "s1", [record("error", "s1", 1, error_id="e1", **told)])
    errors = [
        (None, "s1", "Timeout", "slow", "", "error", "2026-10-01 08:00:01"),
        (None, "gone", "E", "m", None, "FATAL!", "x"),
    ]
    statistics = [
        (None, "s1", "total_tokens", 5.0, "2026-10-01"),
        (None, None, "total_tokens", 7, "2026-10-01"),
        (None, "s1", "odd", "abc", "x"),
    ]
    write_database(tmp_path / "metadata.db", {"errors": errors, "statistics": statistics})
    read = Read(tmp_path)
    assert [(item.session_id, item.repeated) for item in read.records("error")] == [
        ("s1", False),
        ("s1", True),
        ("gone", False),
    ]
    assert [(item.session_id, item.fields["metric_value"]) for item in read.records("metric")] == [
        ("s1", 5.0),
        ("orphans", 7.0),
    ]
    assert read.places(Level.REJECTED) == ["metadata.db statistics[3]"]
    assert read.records("error")[-1].fields["severity"] == "critical"


def test_all_of_the_store_is_counted_as_read(tmp_path):
    write_session(tmp_path, "s1")
    write_history(tmp_path, "s1", [message("s1", 1)])
    write_database(tmp_path / "metadata.db", {})
    read = Read(tmp_path)
    assert read.store.bytes == read.store.bytes_read > 0
