"""An import that is killed at any point is resumed, and leaves the store that it would have left (reliability, D5)."""

import json
import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from backups_app.legacy.locations import URL
from backups_app.models import ImportFinding, ImportOrigin, ImportRun
from backups_app.services.legacy_import import chunks, import_resume, stale_imports_interrupt, store_import
from config.shared.callers import Caller
from config.shared.errors import Conflict, InvalidInput, NotFound
from history_app.models import Message
from tests.backups_app.imported_rows import checksum, outcome
from tests.factories import make_import_run, make_project
from tests.samples.history_store import message, record, write, write_history, write_session
from tests.scratch import scratch

ROOT = Path(__file__).resolve().parents[2]
SEED = 20261129
USAGE = {"model": "gpt-4o", "prompt_tokens": 100, "completion_tokens": 50, "total_tokens": 150}


@pytest.fixture
def project():
    """A project without the settings that the default one has from the beginning."""
    return make_project()


@pytest.fixture
def caller(project):
    return Caller("system", "test", "admin", project_ids=None, project_id=project.pk)


@pytest.fixture
def store(tmp_path):
    """A store with sessions, orphans, faults, conflicts and settings, which makes many small batches."""
    return filled(tmp_path / "store")


def filled(root):
    for number in range(12):
        name = f"s{number}"
        if number % 4 != 3:
            write_session(root, name, state={"messages": [], "current_step": "act"}, status="completed")
        lines = [message(name, place, f"hello {place}") for place in range(1, 20)]
        lines += [record("token_usage", name, 30, source="api_call", **USAGE), "broken"]
        lines += [record("cost", name, 30, total_cost=0.5, **USAGE), {**message(name, 3, "another")}]
        lines += [record("llm_request", name, 40, model="m", provider="p", messages=[], parameters={})]
        lines += [record("llm_response", name, 41, model="m", provider="p", response="hi", response_time=0.5)]
        write_history(root, name, lines)
    write(root, "configs/global.yaml", "level: INFO\nretries: 3\n")
    write(root, "configs/llms/gpt-4o.yaml", "api_key: sk-FAKE0123456789abcdef\n")
    write(root, "configs/workflows/react.yaml", "name: React\nversion: '1.0'\nnodes: [{id: think}]\nedges: []\n")
    return root


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("rounds", [3, pytest.param(50, marks=pytest.mark.torture)])
def test_a_killed_import_is_resumed_and_ends_in_the_same_store(store, tmp_path, rounds, given_server, migrated):
    with scratch(given_server) as url:
        env = {**os.environ, "DATABASE_URL": url, "DATA_DIR": str(tmp_path / "data"), "LOG_LEVEL": "CRITICAL"}
        migrated(tmp_path / "data", url)
        command = [sys.executable, "-W", "ignore", "-m", "tests.backups_app.import_under_fire"]
        done = subprocess.run(
            [*command, str(store), str(rounds), str(SEED)],
            cwd=ROOT,
            env=env,
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 0, done.stdout + done.stderr
    clean, *killed = map(json.loads, done.stdout.splitlines())
    assert len(killed) == rounds
    assert sum(told["kills"] for told in killed) >= rounds
    assert any(any(told["positions"]) for told in killed), "every kill came before the first batch"
    for told in killed:
        assert told["outcome"] == clean["outcome"]
        assert told["checksum"] == clean["checksum"]


class Stopped(Exception):
    """What a test throws into an import."""


pytestmark = pytest.mark.django_db


@pytest.fixture
def interrupted(store, project, caller, now, monkeypatch):
    """An import that died after three batches."""
    monkeypatch.setattr(chunks, "CHUNK_ENTRIES", 40)
    left = iter(range(3))

    def tell(_standing):
        if next(left, None) is None:
            raise Stopped

    with pytest.raises(Stopped):
        store_import(path=store, project_id=project.pk, now=now, caller=caller, progress=tell)
    return ImportRun.objects.get()


def test_a_resumed_import_is_as_if_it_had_never_stopped(interrupted, store, project, caller, now):
    run = interrupted
    assert run.position > 0
    assert 0 < Message.objects.count() < 228
    report = import_resume(path=store, project_id=project.pk, now=now, caller=caller)
    run.refresh_from_db()
    assert (report.run_id, run.status, run.attempt) == (run.pk, "completed", 2)
    fresh = make_project()
    clean = store_import(path=store, project_id=fresh.pk, now=now, caller=caller)
    assert report.counts_told() == clean.counts_told()
    assert report.sums_told() == clean.sums_told()
    assert [finding.detail for finding in report.findings] == [finding.detail for finding in clean.findings]
    assert checksum(project.pk) == checksum(fresh.pk)
    assert outcome(run) == outcome(ImportRun.objects.get(pk=clean.run_id))


def test_a_run_is_resumed_by_its_number_alone(interrupted, project, caller, now):
    run = interrupted
    assert import_resume(run_id=run.pk, project_id=project.pk, now=now, caller=caller).status == "completed"


@pytest.mark.parametrize("by", ["number", "name"])
def test_a_run_that_is_called_otherwise_is_resumed_by_its_number_or_its_name(interrupted, store, caller, now, by):
    ImportRun.objects.filter(pk=interrupted.pk).update(source="shop/store")
    given = {"path": store, "project_id": interrupted.project_id, "now": now, "caller": caller}
    with pytest.raises(NotFound):
        import_resume(**given)
    which = {"run_id": interrupted.pk} if by == "number" else {"source": "shop/store"}
    assert import_resume(**given, **which).status == "completed"


def test_a_store_that_has_changed_since_is_not_resumed(interrupted, store, project, caller, now):
    write_history(store, "s0", [message("s0", 1, "other")])
    with pytest.raises(InvalidInput, match="changed since"):
        import_resume(path=store, project_id=project.pk, now=now, caller=caller)


def test_a_server_is_not_resumed_and_the_refusal_says_what_to_do(project, caller, now):
    url = URL("redis://:secret@127.0.0.1:1/0")
    run = make_import_run(project=project, source=str(url), source_format="blueplan", status="interrupted")
    for which in ({"path": url}, {"run_id": run.pk}):
        with pytest.raises(InvalidInput, match=r"may have changed meanwhile\. Import it again: what is stored"):
            import_resume(project_id=project.pk, now=now, caller=caller, **which)
    run.refresh_from_db()
    assert (run.status, run.attempt) == ("interrupted", 1)


def test_what_has_ended_is_not_resumed(store, project, caller, now):
    with pytest.raises(NotFound):
        import_resume(path=store, project_id=project.pk, now=now, caller=caller)
    done = store_import(path=store, project_id=project.pk, now=now, caller=caller)
    with pytest.raises(Conflict, match="completed"):
        import_resume(run_id=done.run_id, project_id=project.pk, now=now, caller=caller)


def test_a_run_whose_process_is_silent_counts_as_interrupted(project, now):
    silent = ImportRun.objects.create(project=project, source="x", started_at=now, lease_until=now, worker="other 7")
    alive = ImportRun.objects.create(
        project=project, source="x", started_at=now, lease_until=now + timedelta(minutes=5), worker="other 7"
    )
    assert stale_imports_interrupt(now=now + timedelta(seconds=1)) == [silent.pk]
    assert stale_imports_interrupt(now=now + timedelta(seconds=1)) == []
    assert [ImportRun.objects.get(pk=run.pk).status for run in (silent, alive)] == ["interrupted", "running"]


def test_a_run_that_is_alive_is_not_resumed(store, project, caller, now):
    run = ImportRun.objects.create(
        project=project, source=str(store), started_at=now, lease_until=now + timedelta(minutes=1), worker="other 7"
    )
    with pytest.raises(Conflict, match="running"):
        import_resume(run_id=run.pk, project_id=project.pk, now=now, caller=caller)


def test_a_process_whose_run_was_taken_over_stores_nothing_more(store, project, caller, now, monkeypatch):
    monkeypatch.setattr(chunks, "CHUNK_ENTRIES", 40)
    seen = []

    def tell(_standing):
        if not seen:
            seen.append(Message.objects.count())
            ImportRun.objects.update(attempt=2)

    with pytest.raises(Conflict, match="taken"):
        store_import(path=store, project_id=project.pk, now=now, caller=caller, progress=tell)
    assert [Message.objects.count()] == seen
    assert ImportRun.objects.get().status == "running"


def test_every_row_tells_where_it_comes_from(store, project, caller, now):
    report = store_import(path=store, project_id=project.pk, now=now, caller=caller)
    kept = {}
    for origin in ImportOrigin.objects.all():
        for kind, entries in origin.records.items():
            kept.setdefault(kind, []).extend(entries)
    # Secrets are a part of their settings.
    brought = {kind: counts.new for kind, counts in report.kinds.items() if counts.new and kind != "secret"}
    assert {kind: len(entries) for kind, entries in kept.items()} == brought
    first = ImportOrigin.objects.get(session__session_id="s1", path="history/202610/s1.jsonl")
    assert first.records["message"][2] == ["message_3", 3]
    assert ImportFinding.objects.filter(level="conflict", path="history/202610/s1.jsonl").count() == 1
