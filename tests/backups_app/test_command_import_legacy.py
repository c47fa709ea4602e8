"""`manage.py import_legacy` tells what it did, to people and to machines, and fails when it could not."""

import json
from contextlib import closing
from io import StringIO

import pytest
import redis
from django.core.management import CommandError, call_command

from backups_app.models import ImportRun
from history_app.models import Message
from sessions_app.models import Session
from tests.private_servers import redis_is_installed, redis_server
from tests.samples.history_store import message, write_history, write_session


@pytest.fixture
def store(tmp_path):
    write_session(tmp_path, "s1")
    write_history(tmp_path, "s1", [{**message("s1", 1), "timestamp": "2026-10-01T08:00:00"}, "broken"])
    return tmp_path


def run(*arguments):
    out = StringIO()
    call_command("import_legacy", *map(str, arguments), stdout=out)
    return out.getvalue()


def test_the_counts_and_findings_are_printed(project, store):
    text = run(store)
    assert "message" in text
    assert "rejected: history/202610/s1.jsonl:2: invalid JSON" in text
    assert "Import run" in text
    assert Message.objects.count() == 1


def test_a_machine_gets_json(project, store):
    told = json.loads(run(store, "--json"))
    assert told["status"] == "completed"
    assert told["run"] == ImportRun.objects.get().pk
    assert told["kinds"]["message"] == {
        "read": 1, "new": 1, "same": 0, "conflicting": 0, "rejected": 0, "repaired": 0, "skipped": 0,
        "replaced": 0, "both": 0, "zoneless": 1,
    }  # fmt: skip
    assert [(finding["path"], finding["line"], finding["level"]) for finding in told["findings"]] == [
        ("history/202610/s1.jsonl", 2, "rejected")
    ]
    assert told["duration_seconds"] >= 0


@pytest.mark.parametrize("url", ["redis://:geheim@127.0.0.1:1/0", "mysql://u:geheim@127.0.0.1:1/x"])
@pytest.mark.parametrize("more", [(), ("--dry-run",)])
def test_a_server_that_cannot_be_read_is_a_failure(project, url, more):
    with pytest.raises(CommandError, match="cannot be read") as failed:
        run(url, *more)
    assert "geheim" not in str(failed.value)
    assert list(ImportRun.objects.values_list("status", flat=True)) == ([] if more else ["failed"])


def test_a_dry_run_says_so(project, store):
    assert "dry run" in run(store, "--dry-run")
    assert not Message.objects.exists()


def test_times_without_a_zone_are_in_the_one_that_is_stated(project, store):
    run(store, "--timezone", "Asia/Shanghai")
    assert Message.objects.get().timestamp.isoformat() == "2026-10-01T00:00:00+00:00"


@pytest.mark.parametrize(
    "arguments", [["--project", "nobody"], ["--timezone", "Mars/Olympus"], ["--timezone", "../etc/passwd"]]
)
def test_what_is_not_there_is_an_error(project, store, arguments):
    with pytest.raises(CommandError):
        run(store, *arguments)


@pytest.mark.skipif(not redis_is_installed(), reason="no redis-server on this machine")
def test_the_password_of_a_server_can_come_from_the_environment(project, tmp_path, monkeypatch):
    monkeypatch.setenv("LEGACY_PASSWORD", "pass:word@/")
    with redis_server(tmp_path, "--requirepass", "pass:word@/") as server:
        with closing(redis.Redis.from_url(server.url, password="pass:word@/")) as client:
            client.set("session:s1", '{"session_id": "s1", "user_id": "u", "created_at": "2026-10-01"}')
        text = run(server.url)
        with pytest.raises(CommandError, match="No known store"):
            run(server.url.replace("redis:", "ftp:"))
    assert Session.objects.get().session_id == "s1"
    assert "pass:word" not in text + str(list(ImportRun.objects.values()))


def test_a_folder_without_a_store_is_an_error(project, tmp_path):
    with pytest.raises(CommandError, match="No known store"):
        run(tmp_path)


def test_an_import_goes_into_the_project_that_is_named(project, other_project, store):
    run(store, "--project", other_project.slug)
    assert Message.objects.get().project == other_project


def test_an_interrupted_import_is_resumed(project, store):
    run(store)
    ImportRun.objects.update(status="interrupted", position=0, counts={}, sums={})
    text = run(store, "--resume")
    assert f"Import run {ImportRun.objects.get().pk}." in text
    with pytest.raises(CommandError, match="no import that could be resumed"):
        run(store, "--resume")


def test_what_is_refused_names_the_option_as_it_is_typed(project, store, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(CommandError, match=r"^--format: No known store lies in"):
        run(tmp_path / "empty")
    run(store)
    ImportRun.objects.update(status="interrupted", position=1, fingerprint="another")
    with pytest.raises(CommandError, match=r"^--resume: The store has changed since"):
        run(store, "--resume")
    with pytest.raises(CommandError, match=r"^--map-status: "):
        run(store, "--map-status", "done=unheard-of")
    with pytest.raises(CommandError, match=r"^path: There is no file or folder"):
        run(tmp_path / "nothing")


def test_without_a_path_there_must_be_a_run(project):
    for arguments in (["--resume"], []):
        with pytest.raises(CommandError, match="which store"):
            run(*arguments)
