"""A database may be damaged, locked, or made by somebody who means harm: it is told, and neither run nor changed."""

import hashlib
import random
import shutil
import sqlite3
import subprocess
import sys
from datetime import UTC
from pathlib import Path

import pytest

from backups_app.legacy.formats import FORMATS
from backups_app.legacy.types import LegacyRecord, Limits, Reading
from tests.backups_app.test_legacy_sqlite import HOLD_LOCK
from tests.samples.agent_flow import SCHEMA, log, step, task, user, write_database

LIMITS = Limits(query_seconds=2.0, lock_seconds=0.2)
ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i"


def read(path):
    """The records and findings of a store."""
    findings = []
    items = list(FORMATS["agent_flow"].open(path, Reading(findings.append, UTC, LIMITS)).items())
    return [item for item in items if isinstance(item, LegacyRecord)], findings


def fingerprints(folder: Path):
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir() if path.is_file()}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A database of some pages, with indexes, long values and rows of every kind."""
    rows = {
        "task_history": [task(number, f"s{number % 7}", steps=2) for number in range(1, 60)],
        "subtasks": [step(2 * n + i, n, i, actual_output="x" * 700) for n in range(1, 60) for i in (0, 1)],
        "tool_logs": [log(number, number % 61) for number in range(1, 90)],
        "user_config": [user(f"u{number}") for number in range(9)],
    }
    return write_database(tmp_path_factory.mktemp("whole") / "agent_flow.db", rows).read_bytes()


@pytest.mark.parametrize("count", [60, pytest.param(600, marks=pytest.mark.torture)])
def test_whatever_is_damaged_is_read_or_told(tmp_path, whole, count):
    chance = random.Random(7)
    refused = 0
    for number in range(count):
        data = bytearray(whole)
        for _change in range(chance.randrange(1, 20)):
            # Half of the changes hit the header and the schema, where they do most.
            at = chance.randrange(len(data) if number % 2 else 4096)
            data[at] = chance.randrange(256)
        if number % 5 == 0:
            del data[chance.randrange(len(data)) :]
        (tmp_path / "agent_flow.db").write_bytes(data)
        before = fingerprints(tmp_path)
        records, findings = read(tmp_path)
        assert records or findings
        assert fingerprints(tmp_path) == before
        refused += any(finding.level == "rejected" for finding in findings)
    assert 0 < refused < count


def test_a_cut_and_an_empty_file_are_told(tmp_path, whole):
    for name, data in (("cut", whole[: len(whole) // 2]), ("empty", b"")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "agent_flow.db").write_bytes(data)
    records, findings = read(tmp_path)
    assert records == []
    assert {(finding.level.value, finding.place.path) for finding in findings} == {
        ("rejected", "cut/agent_flow.db"), ("rejected", "empty/agent_flow.db"),
    }  # fmt: skip


def test_a_locked_database_is_waited_for_and_then_told(tmp_path):
    path = write_database(tmp_path / "agent_flow.db")
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD_LOCK, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        assert holder.stdout.readline() == b"held\n"
        records, findings = read(path)
    finally:
        holder.communicate(b"")
    assert (records, [finding.code for finding in findings]) == ([], ["database"])
    assert "locked" in findings[0].detail


@pytest.mark.parametrize(
    "schema",
    [
        f"CREATE VIEW task_history AS {ENDLESS} AS task_id FROM n; CREATE VIEW tool_logs AS {ENDLESS} FROM n;",
        "CREATE VIRTUAL TABLE task_history USING fts5(session_id, user_input); CREATE TABLE x (tool_logs TEXT);",
        "CREATE TABLE task_history (task_id INTEGER, user_input AS (hex(zeroblob(50000000))) VIRTUAL, tool_logs TEXT);",
    ],
    ids=["views", "virtual", "computed"],
)
def test_what_would_run_when_it_is_read_is_not_read(tmp_path, schema):
    path = write_database(tmp_path / "agent_flow.db", {}, schema=schema)
    records, findings = read(path)
    assert (records, findings[-1].level.value) == ([], "rejected")


def test_one_view_among_tables_is_told_as_missing(tmp_path):
    schema = SCHEMA.replace("CREATE TABLE tool_logs", "CREATE TABLE kept_logs").replace(
        "CREATE INDEX idx_tool_logs_task ON tool_logs(task_id);", ""
    )
    view = "CREATE VIEW tool_logs AS " + ENDLESS + " AS log_id, 1 AS task_id FROM n;"
    path = write_database(tmp_path / "agent_flow.db", {"task_history": [task(1)]}, schema=schema + view)
    records, findings = read(path)
    assert ([record.kind for record in records], [f.detail for f in findings]) == (
        ["task"], ["there is no table tool_logs"],
    )  # fmt: skip


def test_triggers_never_fire(tmp_path):
    body = "ON task_history BEGIN INSERT INTO tool_logs(tool_name) VALUES ('x'); END;"
    schema = SCHEMA + "".join(f"CREATE TRIGGER t_{event} AFTER {event} {body}" for event in ("UPDATE", "DELETE"))
    path = write_database(tmp_path / "agent_flow.db", {"task_history": [task(1)]}, schema=schema)
    before = fingerprints(tmp_path)
    records, findings = read(path)
    assert ([record.kind for record in records], findings, fingerprints(tmp_path)) == (["task"], [], before)


def test_a_column_that_is_called_like_the_row_number_hides_no_row(tmp_path):
    schema = SCHEMA.replace(
        "CREATE TABLE tool_logs (log_id INTEGER PRIMARY KEY AUTOINCREMENT,", "CREATE TABLE tool_logs (log_id, rowid,"
    )
    rows = {"task_history": [task(1)], "tool_logs": [log(1, 1, rowid=None), log(2, 1, rowid=5), log(3, 1, rowid=5)]}
    records, _findings = read(write_database(tmp_path / "agent_flow.db", rows, schema=schema))
    assert [record.record_id for record in records][1:] == ["tool_logs:1", "tool_logs:2", "tool_logs:3"]


def test_a_table_whose_rows_have_no_numbers_is_told_and_the_others_are_read(tmp_path):
    schema = SCHEMA.replace(
        "CREATE TABLE system_config (config_key TEXT PRIMARY KEY, config_value TEXT, description TEXT,\n"
        "  updated_at DATETIME DEFAULT CURRENT_TIMESTAMP);",
        "CREATE TABLE system_config (config_key TEXT PRIMARY KEY, config_value TEXT) WITHOUT ROWID;",
    )
    assert "WITHOUT ROWID" in schema
    path = write_database(tmp_path / "agent_flow.db", {"task_history": [task(1)]}, schema=schema)
    records, findings = read(path)
    assert (len(records), [finding.level.value for finding in findings]) == (1, ["rejected"])


def _left_with_log(tmp_path, *, keep_log: bool = True) -> Path:
    """A database as a crash leaves it: the last rows are only in the write-ahead log."""
    path = write_database(tmp_path / "live" / "agent_flow.db", {"task_history": [task(1)]})
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA wal_autocheckpoint=0")
    connection.execute("INSERT INTO task_history (task_id, session_id, user_input) VALUES (2, 's2', 'in the log')")
    connection.commit()
    left = tmp_path / "left"
    left.mkdir()
    for suffix in ("", "-wal", "-shm") if keep_log else ("",):
        shutil.copy(f"{path}{suffix}", left / f"agent_flow.db{suffix}")
    connection.close()
    return left


def test_rows_that_are_only_in_the_log_come_in_and_the_sidecars_are_no_strays(tmp_path):
    left = _left_with_log(tmp_path)
    before = fingerprints(left)
    records, findings = read(left)
    assert [record.fields["user_input"] for record in records] == ["do 1", "in the log"]
    assert (findings, fingerprints(left)) == ([], before)


def test_without_its_log_a_database_is_what_it_was_before(tmp_path):
    records, _findings = read(_left_with_log(tmp_path, keep_log=False))
    assert [record.fields["user_input"] for record in records] == ["do 1"]


@pytest.mark.parametrize("log_of", ["noise", "another"])
def test_a_log_that_is_not_its_own_does_no_harm(tmp_path, log_of):
    path = write_database(tmp_path / "store" / "agent_flow.db")
    if log_of == "noise":
        Path(f"{path}-wal").write_bytes(random.Random(1).randbytes(20_000))
    else:
        shutil.copy(_left_with_log(tmp_path) / "agent_flow.db-wal", f"{path}-wal")
    before = fingerprints(path.parent)
    records, findings = read(path.parent)
    assert records or findings
    assert fingerprints(path.parent) == before


def test_a_device_and_a_link_in_place_of_a_sidecar_are_not_followed(tmp_path):
    path = write_database(tmp_path / "agent_flow.db")
    Path(f"{path}-wal").symlink_to("/dev/zero")
    records, findings = read(tmp_path)
    assert records == []
    assert {finding.code for finding in findings} == {"not_followed", "database"}
