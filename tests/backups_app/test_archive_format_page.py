"""The page about the archive format is true: its commands, run as they stand there, check and read an archive."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from backups_app.archive.signatures import verify_key_of
from config.generated_secrets import new_backup_signing_key
from history_app.models import Message
from tests.backups_app.archives import VERIFY_KEY
from tests.backups_app.restores import create, made
from tests.backups_app.stores import counts, fill_store

PAGE = Path(__file__).resolve().parents[2] / "docs" / "archive-format.md"
NEEDED = ("age", "zstd", "jq", "openssl", "sha256sum", "base64")
missing = [program for program in NEEDED if shutil.which(program) is None]

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(bool(missing), reason=f"needs {', '.join(missing)}"),
]


@pytest.fixture
def run(encrypted, settings, tmp_path):
    """Run the n-th command of the page on an archive that was made just now."""
    fill_store(repeated=1)
    archive = made(create())
    commands = re.findall(r"```sh\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.S)
    assert len(commands) == 5
    work = tmp_path / "work"
    work.mkdir()
    env = {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "ARCHIVE": str(archive.folder),
        "IDENTITY": settings.BACKUP_AGE_IDENTITY_FILE,
        "VERIFY_KEY": VERIFY_KEY,
        "WORK": str(work),
    }

    def run_one(number, **changed):
        command = ["sh", "-eu", "-c", commands[number - 1]]
        return subprocess.run(command, env={**env, **changed}, capture_output=True, text=True, check=False)

    run_one.archive, run_one.work = archive, work
    return run_one


def test_the_signature_is_checked(run):
    done = run(1)
    assert done.returncode == 0, done.stderr
    stranger = verify_key_of(new_backup_signing_key())
    assert run(1, VERIFY_KEY=stranger).returncode != 0


def test_stored_files_and_their_content_are_compared(run):
    for number in (2, 5):
        assert run(number).returncode == 0, run(number).stderr
    part = run.archive.parts()[0]
    part.write_bytes(part.read_bytes()[:-1] + b"x")
    assert run(2).returncode != 0
    assert part.name in run(5).stderr + run(2).stdout


def test_the_tables_are_listed(run):
    lines = [line.split("\t") for line in run(3).stdout.splitlines()]
    found = {label: int(rows) for rows, label in lines}
    assert {**counts(), **found} == {**counts(), "sessions_app.event": found["sessions_app.event"]}


def test_every_message_is_read(run):
    assert run(4).returncode == 0, run(4).stderr
    lines = (run.work / "messages.jsonl").read_text(encoding="utf-8").split("\n")[:-1]
    rows = [json.loads(line) for line in lines]
    stored = {message.pk: message.content for message in Message.objects.all()}
    assert {row["id"]: row["content"] for row in rows} == stored
