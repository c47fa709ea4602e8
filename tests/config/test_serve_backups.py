"""A whole AgentLedger that makes, verifies and prunes backups by itself, and is restored from one while it runs."""

import json
import re
import sqlite3
import subprocess
import sys

import pytest

from tests.config.served import ROOT, Served, environment, manage, until

pytestmark = pytest.mark.serve
KEEP = 2


@pytest.fixture
def served(tmp_path, migrated):
    """A running one that makes a backup every five seconds."""
    migrated(tmp_path)
    running = Served(tmp_path, BACKUP_INTERVAL="5", MAX_BACKUPS=str(KEEP))
    yield running
    running.kill_all()


def _asked(data_dir, question: str) -> list[tuple]:
    with sqlite3.connect(data_dir / "agentledger.sqlite3", timeout=20) as connection:
        return connection.execute(question).fetchall()


@pytest.mark.timeout(900)
def test_backups_are_made_verified_and_pruned_and_one_is_restored(served, tmp_path):
    served.ready()
    made = "SELECT MAX(sequence) FROM backups_app_backup WHERE status = 'verified'"
    until(lambda: (_asked(tmp_path, made)[0][0] or 0) >= KEEP + 2)
    pruned = "SELECT COUNT(*) FROM sessions_app_job WHERE kind = 'backup.prune' AND state = 'succeeded'"
    until(lambda: _asked(tmp_path, pruned)[0][0] >= KEEP + 1)
    listed = json.loads(manage(tmp_path, "backup", "list", "--json").stdout)
    good = [row for row in listed if row["status"] == "verified"]
    # The one that was made last may not have been followed by its pruning yet.
    assert KEEP <= len(good) <= KEEP + 1
    assert {row["trigger"] for row in listed} == {"schedule"}
    # By the newest one there is at that moment: one that was listed may have been pruned on a busy machine.
    _asked(tmp_path, f"UPDATE backups_app_backup SET protected = 1 WHERE sequence = ({made})")
    kept = _asked(tmp_path, "SELECT name FROM backups_app_backup WHERE protected = 1")[0][0]
    assert manage(tmp_path, "backup", "verify", kept).returncode == 0
    columns = "(slug, name, created_at) VALUES ('x', 'x', '2026-01-01')"
    _asked(tmp_path, f"INSERT INTO sessions_app_project {columns}")
    done = until(lambda: _restored(tmp_path, kept))
    assert "each table compared with the archive" in done
    assert _asked(tmp_path, "SELECT slug FROM sessions_app_project") == [("default",)]
    # It goes on: another backup follows, of the store that was restored.
    last = _asked(tmp_path, made)[0][0]
    until(lambda: _asked(tmp_path, made)[0][0] > last)
    assert not re.search("Traceback", served.output)
    assert served.stop() == 0


def _restored(data_dir, name: str) -> str:
    """Restore, unless a backup is being made at this moment."""
    done = manage(data_dir, "backup", "restore", name, "--replace", "--yes")
    assert done.returncode == 0 or "A backup is being made" in done.stderr, done.stderr
    return done.stdout


@pytest.mark.timeout(900)
def test_the_page_about_backups_says_what_works(tmp_path, migrated):
    data_dir, work = tmp_path / "data", tmp_path / "work"
    migrated(data_dir)
    work.mkdir()
    served = Served(data_dir)
    try:
        api = f"{served.ready()}api"
        key = json.loads(manage(data_dir, "api_key", "create", "guide", "--role", "admin", "--json").stdout)["key"]
        for block in re.findall(r"^```sh\n(.*?)^```$", (ROOT / "docs" / "backups.md").read_text(), re.MULTILINE | re.S):
            # A backup that was asked for is there a moment later, and while it is made no other work begins.
            until(lambda: not _asked(data_dir, _OPEN))
            _shell(block, environment(data_dir, API=api, KEY=key, WORK=str(work)))
        assert (work / "by-api" / "manifest.json").exists()
        assert (work / "beside.sqlite3").exists()
        assert served.stop() == 0
    finally:
        served.kill_all()


_OPEN = "SELECT 1 FROM sessions_app_job WHERE kind LIKE 'backup.%' AND state IN ('queued', 'running')"


def _shell(block: str, env: dict[str, str]) -> None:
    """Run the lines as they stand on the page; each of them succeeds, and no answer of the API is a problem."""
    script = block.replace(".venv/bin/python", sys.executable).replace("curl -s ", "curl -sS --fail ")
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script], cwd=ROOT, env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{block}\n{done.stdout}{done.stderr}"
