"""Databases of unknown origin are read from a private copy, without being run, changed or waited for without end."""

import fcntl
import hashlib
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from backups_app.legacy.files import Unreadable
from backups_app.legacy.sqlite_copy import open_copy
from backups_app.legacy.types import Limits
from tests.samples.history_store import session_row, write_database

TABLES = ("sessions", "errors")
HOLD_LOCK = """import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN EXCLUSIVE")
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def database(tmp_path) -> Path:
    """A database with two sessions."""
    path = tmp_path / "metadata.db"
    write_database(path, {"sessions": [session_row("s1"), session_row("s2")]})
    return path


def ids(path: Path, limits: Limits | None = None) -> list[str]:
    with open_copy(path, TABLES, limits or Limits()) as copy:
        return [row["session_id"] for row in copy.rows("sessions")]


def fingerprints(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


def test_rows_are_read_with_whatever_columns_there_are(database):
    connection = sqlite3.connect(database)
    connection.execute("ALTER TABLE sessions DROP COLUMN metadata")
    connection.execute("ALTER TABLE sessions ADD COLUMN mood TEXT DEFAULT 'calm'")
    connection.commit()
    with open_copy(database, TABLES, Limits()) as copy:
        rows = list(copy.rows("sessions"))
    assert [row["mood"] for row in rows] == ["calm", "calm"]
    assert "metadata" not in rows[0]


def test_rows_that_are_only_in_the_write_ahead_log_are_seen_and_nothing_changes(tmp_path, database):
    connection = sqlite3.connect(database)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA wal_autocheckpoint=0")
    connection.execute(f"INSERT INTO sessions VALUES ({', '.join('?' * 8)})", session_row("in-the-log"))
    connection.commit()
    left = tmp_path / "left"
    left.mkdir()
    for suffix in ("", "-wal"):
        shutil.copy(f"{database}{suffix}", left / f"metadata.db{suffix}")
    connection.close()
    before = fingerprints(left)
    assert ids(left / "metadata.db") == ["s1", "s2", "in-the-log"]
    assert fingerprints(left) == before


def test_a_half_done_transaction_is_rolled_back_on_the_copy_alone(tmp_path, database):
    connection = sqlite3.connect(database)
    connection.execute("PRAGMA cache_size=1")
    connection.execute("BEGIN")
    connection.executemany(
        f"INSERT INTO sessions VALUES ({', '.join('?' * 8)})",
        [session_row(f"never-{number}", metadata="x" * 5000) for number in range(200)],
    )
    left = tmp_path / "left"
    left.mkdir()
    for suffix in ("", "-journal"):
        shutil.copy(f"{database}{suffix}", left / f"metadata.db{suffix}")
    connection.rollback()
    before = fingerprints(left)
    assert ids(left / "metadata.db") == ["s1", "s2"]
    assert fingerprints(left) == before


def test_a_locked_database_is_waited_for_and_then_reported(database):
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD_LOCK, str(database)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(Unreadable, match="locked by another process"):
            ids(database, Limits(lock_seconds=0.2))
    finally:
        holder.communicate(b"")
    assert ids(database, Limits(lock_seconds=0.2)) == ["s1", "s2"]


@pytest.mark.parametrize("content", [b"not a database\n" * 50, b"SQLite format 3\x00" + bytes(200)])
def test_what_is_no_database_is_reported(tmp_path, content):
    path = tmp_path / "x.db"
    path.write_bytes(content)
    with pytest.raises(Unreadable):
        ids(path)


def test_a_cut_database_is_reported_and_left_as_it_is(tmp_path):
    path = tmp_path / "x.db"
    write_database(path, {"sessions": [session_row(f"s{number}", metadata="x" * 900) for number in range(100)]})
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 6 // 10])
    before = fingerprints(tmp_path)
    with pytest.raises(Unreadable):
        ids(path)
    assert fingerprints(tmp_path) == before


def test_a_damaged_page_is_reported_in_one_line(tmp_path):
    path = tmp_path / "x.db"
    write_database(path, {"sessions": [session_row(f"s{number}", metadata="x" * 900) for number in range(100)]})
    path.write_bytes(path.read_bytes()[:-4096] + bytes(4096))
    with pytest.raises(Unreadable, match="the database is damaged") as told:
        ids(path)
    assert "\n" not in str(told.value)


def test_views_are_not_taken_for_tables(tmp_path):
    path = tmp_path / "x.db"
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i AS session_id FROM n"
    write_database(path, {}, schema=f"CREATE VIEW sessions AS {endless}; CREATE TABLE errors (id INTEGER);")
    with open_copy(path, TABLES, Limits()) as copy:
        assert copy.tables == {"errors"}
        assert list(copy.rows("sessions")) == []


def test_columns_that_are_computed_when_read_are_refused(tmp_path):
    path = tmp_path / "x.db"
    costly = "length(hex(zeroblob(20000000)))"
    write_database(path, {}, schema=f"CREATE TABLE sessions (session_id TEXT, cost INTEGER AS ({costly}) VIRTUAL);")
    with pytest.raises(Unreadable, match="computed columns"):
        ids(path)


def test_costly_check_constraints_are_not_run(tmp_path):
    path = tmp_path / "x.db"
    write_database(path, {}, schema="CREATE TABLE sessions (session_id TEXT CHECK (session_id = 'x' AND abs(1) = 1));")
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA ignore_check_constraints=ON")
    connection.execute("INSERT INTO sessions VALUES ('s1')")
    connection.commit()
    connection.close()
    assert ids(path) == ["s1"]


def test_reading_ends_with_its_time(tmp_path):
    path = tmp_path / "x.db"
    write_database(path, {"sessions": [session_row(f"s{number}") for number in range(5000)]})
    with pytest.raises(Unreadable):
        ids(path, Limits(query_seconds=-60.0))


def test_other_tables_cannot_be_read(database):
    with open_copy(database, TABLES, Limits()) as copy:
        assert list(copy.rows("workflows")) == []
        assert copy.row("workflows", "workflow_id", "x") is None
        assert copy.row("sessions", "session_id", "s2")["session_id"] == "s2"
        assert copy.row("sessions", "session_id", "none") is None


def test_the_lock_is_given_back(database):
    ids(database)
    with database.open("rb+") as file:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
