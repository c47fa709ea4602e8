"""`agent_flow.db` is read row by row: nothing is lost, nothing is guessed, and every oddity is told with its place."""

import json
import os
import shutil
import sqlite3
from datetime import UTC, datetime

import pytest

from backups_app.legacy.agent_flow.database import MOST_STEPS
from backups_app.legacy.formats import FORMATS, detect
from backups_app.legacy.types import (
    LegacyConfig,
    LegacyKnowledge,
    LegacyRecord,
    LegacySession,
    LegacyUser,
    Limits,
    Reading,
)
from tests.samples.agent_flow import (
    KEY,
    ROWS,
    SCHEMA,
    config,
    log,
    source,
    step,
    task,
    user,
    write_backup,
    write_database,
)


class Read:
    """What was read of a path."""

    def __init__(self, path, **limits):
        self.findings = []
        reading = Reading(self.findings.append, UTC, Limits(**limits))
        self.items = list(FORMATS["agent_flow"].open(path, reading).items())

    def of(self, kind):
        return [item for item in self.items if isinstance(item, kind)]

    def records(self, kind):
        return [item for item in self.of(LegacyRecord) if item.kind == kind]

    def told(self):
        return [(finding.level.value, finding.code) for finding in self.findings]

    def codes(self):
        return {finding.code for finding in self.findings}


@pytest.fixture
def read(tmp_path):
    """Write a database with these rows, and read it."""

    def run(limits=None, schema=SCHEMA, **rows):
        return Read(write_database(tmp_path / "agent_flow.db", rows, schema=schema), **limits or {})

    return run


def test_a_store_without_oddities_makes_no_finding(tmp_path):
    found = Read(write_database(tmp_path / "agent_flow.db"))
    assert found.findings == []
    assert [len(found.records(kind)) for kind in ("task", "tool_call")] == [2, 2]
    assert len(found.of(LegacySession)) == len(found.of(LegacyUser)) == len(found.of(LegacyConfig)) == 2


def test_a_task_takes_its_steps_in_their_order(read):
    rows = [step(1, 1, 1), step(2, 1, 0), step(3, 2, 0)]
    (first, second) = read(task_history=[task(1, steps=2), task(2, steps=1)], subtasks=rows).records("task")
    assert [found["description"] for found in first.fields["subtasks"]] == ["step 0", "step 1"]
    assert [found["subtask_index"] for found in second.fields["subtasks"]] == [0]
    assert first.fields["metadata"] == {}


def test_steps_without_a_place_come_behind_those_that_have_one(read):
    rows = [step(1, 1, -1), step(2, 1, 0), step(3, 1, 0), step(4, 1, None), step(5, 1, 7)]
    found = read(task_history=[task(1)], subtasks=rows)
    (record,) = found.records("task")
    places = {row["description"]: row["subtask_index"] for row in record.fields["subtasks"]}
    assert sorted(row["subtask_index"] for row in record.fields["subtasks"]) == [0, 7, 8, 9, 10]
    assert places["step 7"] == 7
    kept = record.fields["metadata"]["subtasks_as_found"]
    assert {key: value["as_found"]["subtask_index"] for key, value in kept.items()} == {"1": -1, "3": 0, "4": None}


def test_what_a_task_lists_and_no_row_says_is_kept(read):
    (record,) = read(task_history=[task(1, steps=2)], subtasks=[step(1, 1, 0)]).records("task")
    assert [row["description"] for row in record.fields["metadata"]["subtasks"]] == ["step 0", "step 1"]


def test_steps_and_calls_without_a_task_are_kept_with_those_of_nobody(read):
    found = read(
        task_history=[task(1, "")],
        subtasks=[step(1, 99, 0), step(2, 99, 1), step(3, None, 0)],
        tool_logs=[log(1, 99), log(2, None), log(3, 1)],
    )
    assert {item.session_id for item in found.of(LegacyRecord)} == {"orphans"}
    assert sorted(len(item.fields["subtasks"]) for item in found.records("task")) == [0, 1, 2]
    (own,) = [item.record_id for item in found.records("task") if not item.fields["subtasks"]]
    assert [item.fields.get("task") for item in found.records("tool_call")] == [None, None, own]
    assert [item.fields["metadata"].get("task_id") for item in found.records("tool_call")] == [99, None, None]
    assert [finding.code for finding in found.findings].count("orphan") == 5


def test_orphans_of_two_stores_do_not_share_an_id(tmp_path):
    one = Read(
        write_database(tmp_path / "a" / "agent_flow.db", {"tool_logs": [log(1, 99)], "subtasks": [step(1, 9, 0)]})
    )
    rows = {"tool_logs": [log(1, 99, tool_name="other")], "subtasks": [step(1, 9, 0, description="other")]}
    two = Read(write_database(tmp_path / "b" / "agent_flow.db", rows))
    assert not {item.record_id for item in one.of(LegacyRecord)} & {item.record_id for item in two.of(LegacyRecord)}


def test_a_task_with_very_many_steps_is_continued(read):
    rows = [step(number, 1, number - 1) for number in range(1, MOST_STEPS + 3)]
    found = read(task_history=[task(1)], subtasks=rows)
    assert [(item.record_id, len(item.fields["subtasks"])) for item in found.records("task")] == [
        ("task_history:1", MOST_STEPS), ("task_history:1/2", 2),
    ]  # fmt: skip
    assert "task_continued" in found.codes()


@pytest.mark.parametrize(
    ("found", "wanted", "code"),
    [
        ("DONE", "completed", "status"),
        (None, "pending", "status"),
        (" Error ", "failed", "status"),
        ("odd", "pending", "status"),
        ("cancelled", "cancelled", None),
    ],
)
def test_words_for_how_far_a_task_is(read, found, wanted, code):
    result = read(task_history=[task(1, status=found)])
    (record,) = result.records("task")
    assert (record.fields["status"], result.codes()) == (wanted, {code} - {None})
    assert record.fields["metadata"].get("as_found", {}) == ({"status": found} if code else {})


@pytest.mark.parametrize(
    ("found", "wanted", "code"),
    [
        ("timeout", "error", "status"),
        ("ok", "success", "status"),
        (None, "pending", "status"),
        ("pending", "pending", None),
    ],
)
def test_words_for_how_a_call_ended(read, found, wanted, code):
    result = read(task_history=[task(1)], tool_logs=[log(1, 1, status=found)])
    (record,) = result.records("tool_call")
    assert (record.fields["status"], result.codes()) == (wanted, {code} - {None})


@pytest.mark.parametrize(
    ("found", "seconds"),
    [(0.5, 0.5), ("0.5", 0.5), (None, None), (-1.0, None), (1e308, None), ("fast", None), (9e999, None)],
)
def test_durations_are_numbers_of_seconds_whose_sums_stay_finite(read, found, seconds):
    schema = SCHEMA.replace("execution_time REAL", "execution_time")
    result = read(schema=schema, task_history=[task(1)], tool_logs=[log(1, 1, execution_time=found)])
    (record,) = result.records("tool_call")
    assert record.fields["execution_time"] == seconds
    if seconds is None and found is not None:
        kept = record.fields["metadata"]["as_found"]["execution_time"]
        assert (kept, result.codes()) == ("inf" if found == 9e999 else found, {"duration"})


@pytest.mark.parametrize(
    ("found", "value", "code"),
    [
        (None, None, None),
        ("", None, "not_json"),
        ("{bad", "{bad", "not_json"),
        ('"text"', "text", None),
        ("NaN", None, "number_not_finite"),
        ("12345678901234567890123", 12345678901234567890123, None),
        ('{"a": 1} {"b": 2}', '{"a": 1} {"b": 2}', "not_json"),
        ('["\\ud83d"]', ["\ufffd"], "text_replaced"),
        (b'{"a": 1}', {"a": 1}, None),
        (7, 7, None),
    ],
)
def test_what_stands_in_a_json_column(read, found, value, code):
    schema = SCHEMA.replace("tool_result JSON", "tool_result")
    result = read(schema=schema, task_history=[task(1)], tool_logs=[log(1, 1, tool_result=found)])
    assert result.records("tool_call")[0].fields["tool_output"] == value
    assert result.codes() == ({code} - {None})


def test_bytes_and_nul_are_replaced_and_kept_in_hexadecimal(read):
    found = read(task_history=[task(1, user_input=b"\xff\x00blob"), task(2, user_input="a\x00b")])
    first, second = found.records("task")
    assert (first.fields["user_input"], second.fields["user_input"]) == ("\ufffd\ufffdblob", "a\ufffdb")
    assert first.fields["metadata"]["as_found"] == {"user_input_hex": b"\xff\x00blob".hex()}
    assert found.codes() == {"text_replaced"}


@pytest.mark.parametrize("found", ["2026-10-01 08:00:00", "2026-10-01T08:00:00Z", 1790841600, "1790841600"])
def test_times_in_any_form(read, found):
    schema = SCHEMA.replace("created_at DATETIME", "created_at")
    result = read(schema=schema, task_history=[task(1, created_at=found)])
    assert result.records("task")[0].timestamp == datetime(2026, 10, 1, 8, tzinfo=UTC)


def test_a_row_without_a_time_has_that_of_the_row_before_it(read):
    rows = [task(1), task(2, created_at="bad", updated_at=None), task(3, created_at=None)]
    found = read(task_history=rows)
    begun = [item.timestamp for item in found.records("task")]
    assert begun == [datetime(2026, 10, 1, 8, minute, tzinfo=UTC) for minute in (0, 0, 1)]
    assert found.records("task")[1].fields["metadata"]["as_found"] == {"created_at": "bad"}


def test_ids_are_compared_as_they_are_meant_whatever_their_type(read):
    schema = SCHEMA.replace("task_id INTEGER,", "task_id,")
    rows = {"subtasks": [step(1, "1", 0), step(2, 1.0, 1)], "tool_logs": [log(1, "1")]}
    found = read(schema=schema, task_history=[task(1, steps=2)], **rows)
    assert (len(found.records("task")[0].fields["subtasks"]), found.codes()) == (2, set())


def test_a_second_row_of_an_id_is_refused_and_told(read):
    schema = SCHEMA.replace("task_id INTEGER PRIMARY KEY AUTOINCREMENT", "task_id")
    found = read(schema=schema, task_history=[task(1), task(1, user_input="another"), task(None), task(None, "s3")])
    assert [item.fields["user_input"] for item in found.records("task")] == ["do 1", "do None", "do None"]
    assert found.told() == [("rejected", "same_id")]


def test_keys_of_a_user_are_taken_out_of_whatever_they_stand_in(read):
    rows = [
        user("nested", api_keys=json.dumps({"openai": {"key": KEY, "org": "o"}, "": "bare", "none": None})),
        user("text", api_keys=KEY),
        user("deep", preferences=json.dumps({"mail": {"smtp_password": "hunter2"}})),
        user("broken", preferences='{"password": "hunter2"', api_keys=None),
        user("bytes", api_keys=b"\xff\x00" + KEY.encode()),
    ]
    found = read(user_config=rows)
    keys = {item.user_id: item.api_keys for item in found.of(LegacyUser)}
    assert keys["nested"] == {"openai": json.dumps({"key": KEY, "org": "o"}), "unknown": "bare"}
    assert keys["text"] == {"unknown": KEY}
    assert keys["deep"] == {"openai": KEY, "preferences/mail/smtp_password": "hunter2"}
    assert keys["broken"] == {"preferences": '{"password": "hunter2"'}
    told = [repr(item) for item in found.items]
    told += [str((finding.detail, finding.raw)) for finding in found.findings]
    told += [str((item.preferences, item.brought_in)) for item in found.of(LegacyUser)]
    assert not [text for text in told if KEY in text or "hunter2" in text or KEY.encode().hex() in text]


def test_counts_that_are_none_are_kept_and_not_counted(read):
    rows = [user("a", usage_stats='{"task_count": -1, "total_tokens": 5}'), user("b", usage_stats="[1]")]
    first, second = read(user_config=rows).of(LegacyUser)
    assert first.brought_in["usage_stats"] == {"total_tokens": 5}
    assert first.brought_in["as_found"]["usage_stats"] == '{"task_count": -1, "total_tokens": 5}'
    assert second.brought_in["usage_stats"] == {}


def test_secrets_that_a_tool_was_given_are_masked_and_sealed(read):
    found = read(task_history=[task(1)], tool_logs=[log(1, 1, tool_args=json.dumps({"api_key": KEY, "q": "x"}))])
    (record,) = found.records("tool_call")
    (sealed,) = found.of(LegacyConfig)
    assert record.fields["tool_input"] == {"api_key": "********", "q": "x"}
    assert (sealed.key, sealed.secrets) == ("tool_calls.s1.tool_logs:1", {"/tool_input/api_key": KEY})
    assert KEY not in str([(finding.detail, finding.raw) for finding in found.findings])


def test_settings_are_typed_where_their_text_is_beyond_doubt(read):
    values = ["7", "0.7", "true", "TRUE ", "0,7", "[1]", None, "07"]
    found = read(system_config=[config(f"k{n}", value) for n, value in enumerate(values)])
    assert [item.value for item in found.of(LegacyConfig)] == [7, 0.7, True, "TRUE ", "0,7", [1], None, "07"]


def test_sources_are_data_and_those_of_an_unknown_status_rest(read):
    rows = [source(1, source_path="../../etc/passwd"), source(2, status="gone", metadata="[]"), source(3, "x" * 300)]
    first, second, third = read(knowledge_sources=rows).of(LegacyKnowledge)
    assert first.source_path == "../../etc/passwd"
    assert (second.status, second.metadata) == ("inactive", {"as_found": {"status": "gone", "metadata": "[]"}})
    assert (len(third.source_name), third.metadata["as_found"]["source_name"]) == (255, "x" * 300)


def test_columns_that_are_not_known_are_kept(read):
    schema = SCHEMA.replace("user_input TEXT NOT NULL,", "user_input TEXT NOT NULL, mood TEXT,")
    (record,) = read(schema=schema, task_history=[task(1, mood="calm")]).records("task")
    assert record.fields["metadata"] == {"mood": "calm"}


def test_missing_tables_are_told_and_the_others_are_read(tmp_path):
    path = write_database(tmp_path / "agent_flow.db")
    connection = sqlite3.connect(path)
    connection.execute("DROP TABLE tool_logs")
    connection.execute("DROP TABLE user_config")
    connection.close()
    found = Read(path)
    assert (len(found.records("task")), found.told()) == (2, [("note", "table_missing")] * 2)


def test_a_value_that_is_too_long_costs_its_own_row_alone(read):
    rows = {
        "task_history": [task(1), task(2, user_input="x" * 2000), task(3)],
        "subtasks": [step(1, 1, 0), step(2, 1, 1, actual_output="x" * 2000), step(3, 1, 2)],
        "tool_logs": [log(1, 1), log(2, 1, tool_result=json.dumps("x" * 2000)), log(3, 2)],
    }
    found = read(limits={"line_bytes": 1000}, **rows)
    assert [item.record_id for item in found.records("task")] == ["task_history:1", "task_history:3"]
    assert [row["subtask_index"] for row in found.records("task")[0].fields["subtasks"]] == [0, 2]
    assert [item.session_id for item in found.records("tool_call")] == ["s1", "orphans"]
    rejected = [(f.kind, f.place.key) for f in found.findings if f.level == "rejected"]
    assert rejected == [("task", "2"), ("subtask", "2"), ("tool_call", "2")]


def test_a_store_is_recognised_by_its_name_its_card_or_its_tables(tmp_path):
    write_database(tmp_path / "a" / "agent_flow.db")
    write_database(tmp_path / "b" / "other.db")
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / "agent_flow.db").write_bytes(b"")
    write_backup(tmp_path / "d" / "backups" / "one")
    (tmp_path / "d" / "backups" / "one" / "agent_flow.db").unlink()
    write_database(tmp_path / "e" / "other.db", {}, schema="CREATE TABLE sessions (session_id TEXT);")
    assert {name: detect(tmp_path / name) for name in "abcde"} == {
        "a": "agent_flow", "b": "agent_flow", "c": "agent_flow", "d": "agent_flow", "e": None,
    }  # fmt: skip
    assert detect(tmp_path / "b" / "other.db") == "agent_flow"


def test_backups_and_vector_stores_beside_a_database_are_told(tmp_path):
    write_database(tmp_path / "agent_flow.db")
    write_backup(tmp_path / "backups" / "new", chroma_path="./chroma_db")
    vectors = tmp_path / "chroma_db"
    vectors.mkdir()
    (vectors / "chroma.sqlite3").write_bytes(b"x" * 10)
    shutil.copytree(vectors, tmp_path / "backups" / "new" / "chroma_db")
    (tmp_path / "notes.txt").write_text("x", encoding="utf-8")
    found = Read(tmp_path)
    assert len(found.records("task")) == 2
    assert {(finding.code, finding.place.path) for finding in found.findings} == {
        ("stray_file", "notes.txt"), ("backup", "backups/new"), ("vector_store", "chroma_db"),
        ("vector_store", "backups/new/chroma_db"),
    }  # fmt: skip
    assert "1 files and 10 bytes" in str([finding.detail for finding in found.findings])


def test_backups_alone_are_read_the_newest_first_and_never_what_their_cards_name(tmp_path):
    other = write_database(tmp_path / "outside.db", {"task_history": [task(7, "outside")]})
    root = tmp_path / "backups"
    write_backup(root / "a", created_at="2026-10-03T00:00:00", db_path=str(other))
    write_backup(root / "b", created_at="2026-10-04T00:00:00", backup_name="../../b")
    (root / "c").mkdir()
    (root / "c" / "backup_info.json").write_text("{", encoding="utf-8")
    found = Read(root)
    assert [item.place.path for item in found.records("task")] == ["b/agent_flow.db"] * 2 + ["a/agent_flow.db"] * 2
    assert {(f.level.value, f.code, f.place.path) for f in found.findings} == {
        ("note", "db_path", "a"), ("note", "backup_name", "b"), ("rejected", "backup_without_database", "c"),
        ("note", "bad_card", "c"),
    }  # fmt: skip


def test_a_backup_by_itself_is_a_store(tmp_path):
    found = Read(write_backup(tmp_path / "backups" / "one"))
    assert (len(found.records("task")), found.findings) == (2, [])


def test_links_and_pipes_are_named_and_left_alone(tmp_path):
    outside = write_database(tmp_path / "outside" / "agent_flow.db")
    store = tmp_path / "store"
    store.mkdir()
    (store / "agent_flow.db").symlink_to(outside)
    os.mkfifo(store / "pipe.db")
    found = Read(store)
    assert found.items == []
    assert found.told() == [("skipped", "not_followed")] * 2 + [("rejected", "no_database")]


def test_rows_of_every_kind_are_in_the_sample():
    assert set(ROWS) == {"task_history", "subtasks", "tool_logs", "user_config", "system_config", "knowledge_sources"}
