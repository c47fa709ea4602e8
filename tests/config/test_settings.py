"""Settings as an operator meets them: the environment, the secrets that are made, the checks."""

import ast
import base64
import os
import re
import sqlite3
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from django.core.checks import run_checks

from config.databases import database_settings, sqlite_journal_mode
from config.filesystems import filesystem_type, network_filesystem
from config.generated_secrets import new_field_key, new_secret_key, secret_kept_in
from tests.config.served import ROOT, environment

SHOW = "from django.conf import settings; print([getattr(settings, name) for name in {}])"
SERVER = {"DATABASE_URL": "postgres://somebody@127.0.0.1:1/nothing"}


def _settings(data_dir: Path, *names: str, **more: str) -> list:
    """Return settings as a fresh process sees them."""
    command = [sys.executable, "-c", SHOW.format(names)]
    env = {**environment(data_dir, **more), "DJANGO_SETTINGS_MODULE": "config.settings"}
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=True)
    return ast.literal_eval(done.stdout)


def _check_ids(data_dir: Path, *options: str, **more: str) -> set[str]:
    """Return the ids that `manage.py check` complains about, of those that are AgentLedger's."""
    command = [sys.executable, "manage.py", "check", "--tag=agentledger", *options]
    env = environment(data_dir, **more)
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    return set(re.findall(r"agentledger\.[EW]\d+", done.stderr))


def test_the_embedded_default_makes_its_secrets_once(tmp_path):
    first = _settings(tmp_path, "SECRET_KEY", "FIELD_ENCRYPTION_KEYS")
    assert first == _settings(tmp_path, "SECRET_KEY", "FIELD_ENCRYPTION_KEYS")
    assert len(first[0]) > 50


def test_a_given_secret_wins_and_none_is_made(tmp_path):
    assert _settings(tmp_path, "SECRET_KEY", SECRET_KEY="given") == ["given"]
    assert not (tmp_path / "secret_key").exists()


def test_a_secret_may_come_from_a_file(tmp_path):
    (tmp_path / "mounted").write_text("from a file")
    assert _settings(tmp_path, "SECRET_KEY", SECRET_KEY_FILE=str(tmp_path / "mounted")) == ["from a file"]


def test_the_environment_wins_over_the_env_file(tmp_path):
    (tmp_path / "env").write_text("SESSION_TTL=11\nMAX_RECORD_BYTES=22\n")
    given = {"ENV_FILE": str(tmp_path / "env"), "MAX_RECORD_BYTES": "33"}
    assert _settings(tmp_path, "SESSION_TTL", "MAX_RECORD_BYTES", **given) == [11, 33]


def test_processes_that_start_at_once_agree_on_the_secret(tmp_path):
    with ThreadPoolExecutor(16) as pool:
        found = list(pool.map(lambda _: secret_kept_in(tmp_path / "secret", new_secret_key), range(64)))
    assert len(set(found)) == 1
    assert stat.S_IMODE((tmp_path / "secret").stat().st_mode) == 0o600
    assert os.listdir(tmp_path) == ["secret"]


def test_a_made_field_key_holds_256_bits():
    key_id, encoded = new_field_key().split(":")
    assert (key_id, len(base64.b64decode(encoded))) == ("k1", 32)


def test_a_database_server_asks_for_secrets(tmp_path):
    assert _check_ids(tmp_path, **SERVER) == {"agentledger.E001", "agentledger.E002"}


def test_a_field_key_that_is_none_is_found_before_it_is_used(tmp_path):
    assert _check_ids(tmp_path, FIELD_ENCRYPTION_KEYS="k1:c2hvcnQ=") == {"agentledger.E004"}
    assert _check_ids(tmp_path, FIELD_ENCRYPTION_KEYS="not a key") == {"agentledger.E004"}


def test_the_embedded_broker_is_not_for_a_database_server(tmp_path):
    secrets = {"SECRET_KEY": new_secret_key(), "FIELD_ENCRYPTION_KEYS": new_field_key()}
    assert _check_ids(tmp_path, "--deploy", **secrets, **SERVER) == {"agentledger.W001"}
    assert _check_ids(tmp_path, "--deploy", **secrets, **SERVER, REDIS_URL="redis://127.0.0.1:1/0") == set()


def test_the_embedded_default_has_nothing_to_complain_of(tmp_path):
    assert _check_ids(tmp_path, "--deploy") == set()


MOUNTS = """\
/dev/sda1 / ext4 rw 0 0
server:/export /srv/data nfs4 rw 0 0
/dev/sdb1 /srv/data/local\\040disk xfs rw 0 0
//server/share /home/somebody cifs rw 0 0
"""


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/srv/data/ledger.sqlite3", "nfs4"),
        ("/srv/data/local disk/ledger.sqlite3", "xfs"),
        ("/srv/database/ledger.sqlite3", "ext4"),
        ("/home/somebody", "cifs"),
    ],
)
def test_the_innermost_mount_says_where_a_file_is(path, kind):
    assert filesystem_type(Path(path), MOUNTS) == kind


def test_sqlite_on_a_network_file_system_is_an_error(settings, tmp_path, monkeypatch):
    (tmp_path / "mounts").write_text("server:/export / nfs4 rw 0 0\n")
    monkeypatch.setattr("config.filesystems.MOUNTS", tmp_path / "mounts")
    monkeypatch.setattr(settings, "EMBEDDED_DATABASE", True)
    settings.DATABASES["default"]["NAME"], former = str(tmp_path / "db.sqlite3"), settings.DATABASES["default"]["NAME"]
    try:
        assert [message.id for message in run_checks(tags=["agentledger"])] == ["agentledger.E003"]
    finally:
        settings.DATABASES["default"]["NAME"] = former


def test_a_local_disk_and_a_database_in_memory_are_fine(tmp_path):
    assert network_filesystem(tmp_path / "db.sqlite3") is None
    assert network_filesystem("file:memorydb_default?mode=memory&cache=shared") is None


@pytest.mark.parametrize(("version", "mode"), [((3, 40, 1), "delete"), ((3, 51, 2), "delete"), ((3, 51, 3), "wal")])
def test_wal_is_only_for_versions_that_do_not_corrupt_it(version, mode):
    assert sqlite_journal_mode(version) == mode


def test_sqlite_writes_durably_and_takes_its_lock_at_the_beginning(tmp_path):
    options = database_settings({"ENGINE": "django.db.backends.sqlite3"}, 10, 30)["OPTIONS"]
    assert (options["transaction_mode"], options["timeout"]) == ("IMMEDIATE", 20)
    connection = sqlite3.connect(tmp_path / "db.sqlite3")
    for statement in options["init_command"].split(";"):
        connection.execute(statement)
    found = [
        connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("journal_mode", "synchronous", "mmap_size")
    ]
    assert found == [sqlite_journal_mode(), 2, 0]


def test_every_setting_is_in_the_example_with_its_default():
    source = "\n".join(
        path.read_text() for path in [*(ROOT / "config" / "settings").glob("*.py"), ROOT / "config/env.py"]
    )
    read = set(re.findall(r"""(?:env\.\w+|_secret)\(\s*"(\w+)\"""", source)) - {"SERVES_PAGES"}
    listed = set(re.findall(r"^# ([A-Z_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE))
    assert read == listed


def test_the_example_holds_the_values_that_are_used_without_it(tmp_path):
    lines = re.findall(r"^# ([A-Z_]+)=(.*)$", (ROOT / ".env.example").read_text(), re.MULTILINE)
    given = {name: value for name, value in lines if value and name != "DATA_DIR"}
    (tmp_path / "env").write_text("".join(f"{name}={value}\n" for name, value in given.items()))
    without = _settings(tmp_path, *given)
    assert _settings(tmp_path, *given, ENV_FILE=str(tmp_path / "env")) == without
