"""`manage.py backup` as a shell or a cron job meets it: its two streams, its exit code, a terminal."""

import json
import os
import pty
import subprocess
import sys

import pytest

from tests.config.served import ROOT, environment, manage


def test_a_database_that_is_away_is_told_in_one_line(tmp_path):
    given = {"DATABASE_URL": "postgres://somebody@127.0.0.1:1/nothing", "SECRET_KEY": "for this test only",
             "FIELD_ENCRYPTION_KEYS": "k1:MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="}  # fmt: skip
    done = manage(tmp_path, "backup", "create", **given)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("CommandError: The database refuses: ")
    assert "Traceback" not in done.stderr


@pytest.fixture(scope="module")
def installed(tmp_path_factory, migrated):
    """A store of its own, as `migrate` leaves it."""
    data_dir = tmp_path_factory.mktemp("installed")
    migrated(data_dir)
    return data_dir


def test_from_outside_lines_go_to_one_stream_and_the_result_to_the_other(installed):
    done = manage(installed, "backup", "create", "plain")
    assert (done.returncode, done.stdout.splitlines()[0][:34]) == (0, "Backup plain is made and verified:")
    assert done.stderr == "Backing up: 100 % (written)\nBacking up: 100 % (read back)\n"
    done = manage(installed, "backup", "create", "json", "--json")
    assert (done.returncode, json.loads(done.stdout)["name"], done.stderr) == (0, "json", "")
    assert manage(installed, "backup", "verify", "nothing").returncode == 1


def test_a_terminal_shows_a_bar(installed):
    ours, theirs = pty.openpty()
    command = [sys.executable, "-W", "ignore", "manage.py", "backup", "create", "shown"]
    env = {**environment(installed), "TERM": "xterm"}
    done = subprocess.run(command, cwd=ROOT, env=env, stdout=subprocess.PIPE, stderr=theirs, check=False)
    os.close(theirs)
    seen = os.read(ours, 1 << 16).decode()
    os.close(ours)
    assert done.returncode == 0
    assert "Backing up" in seen
    assert "━" in seen
