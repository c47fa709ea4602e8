"""A store that a process of its own reads comes in as one that a thread reads, and no process is left behind."""

import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from backups_app.legacy.types import Finding, LegacyRecord, Level, Limits, Place
from backups_app.models import ImportRun
from backups_app.services.legacy_import import chunks, import_resume, store_import
from backups_app.services.legacy_reading import handing_over, process, readers
from backups_app.services.legacy_reading.job import ReadingJob
from backups_app.services.legacy_reading.process import ReaderFailed, ReadingProcess
from backups_app.services.legacy_reading.read_ahead import ReadAhead
from backups_app.services.legacy_reading.wire import entries_of, packed, unpacked
from config.shared.callers import Caller
from history_app.models import Message
from tests.backups_app.imported_rows import checksum, outcome
from tests.backups_app.test_import_resume import filled
from tests.factories import make_project
from tests.samples import agent_flow
from tests.samples.history_store import message, write_history

pytestmark = pytest.mark.django_db
ROOT = Path(__file__).resolve().parents[2]
NEVER = 2**62
SESSIONS = 25
MESSAGES = 100 * SESSIONS


@pytest.fixture
def small_batches(monkeypatch):
    """Batches of 400 entries: the reader is at work yet when the first one is stored."""
    monkeypatch.setattr(chunks, "CHUNK_ENTRIES", 400)
    monkeypatch.setattr(handing_over, "BATCHES_WAITING", 2)


@pytest.fixture
def by_process(settings, monkeypatch):
    """Every store is read by a process of its own."""
    settings.IMPORT_PROCESS_BYTES = 0
    monkeypatch.setattr(readers, "_processors", lambda: 2)


@pytest.fixture
def bring_in(now):
    def run(path, project_id, **options):
        caller = Caller("system", "test", "admin", project_ids=None, project_id=project_id)
        return store_import(path=path, project_id=project_id, now=now, caller=caller, **options)

    return run


def large(root):
    """A store that the reader cannot have read to its end while the first batch is stored."""
    for number in range(SESSIONS):
        name = f"s{number:03}"
        write_history(root, name, [message(name, place, "hello " * 250) for place in range(1, 101)])
    return root


def flow(root):
    """A store with tasks and with tool calls that belong to them."""
    rows = {
        "task_history": [agent_flow.task(number) for number in range(1, 6)],
        "subtasks": [agent_flow.step(number, 1 + number % 5, number) for number in range(12)],
        "tool_logs": [agent_flow.log(number, 1 + number % 5) for number in range(1, 9)],
    }
    agent_flow.write_database(root / "agent_flow.db", rows)
    return root


@pytest.mark.parametrize("make", [filled, flow])
def test_a_process_and_a_thread_bring_in_the_same(make, tmp_path, settings, bring_in, by_process):
    (tmp_path / "store").mkdir()
    root = make(tmp_path / "store")
    told = []
    for bound in (0, NEVER):
        settings.IMPORT_PROCESS_BYTES = bound
        project = make_project()
        report = bring_in(root, project.pk)
        findings = [(each.code, str(each.place), each.detail) for each in report.findings]
        told.append((checksum(project.pk), outcome(ImportRun.objects.get(pk=report.run_id)), findings))
    assert told[0] == told[1]
    assert told[0][1]["status"] == "completed"


def test_several_stores_in_one_folder_come_in_by_a_process(tmp_path, settings, bring_in, by_process):
    for name, make in (("a", filled), ("b", flow)):
        (tmp_path / "all" / name).mkdir(parents=True)
        make(tmp_path / "all" / name)
    kinds = []
    for bound in (0, NEVER):
        settings.IMPORT_PROCESS_BYTES = bound
        kinds.append(bring_in(tmp_path / "all", make_project().pk).counts_told())
    assert kinds[0] == kinds[1]
    assert kinds[0]["task"]["new"] == 5


def test_a_process_gives_the_entries_that_a_thread_gives(tmp_path, now):
    job = ReadingJob(filled(tmp_path), "history_store", UTC, Limits(), {}, now, 8 * 1024 * 1024)
    told = []
    for reader in (ReadAhead(job), ReadingProcess(job)):
        with reader.entries() as entries:
            told.append([_plain(entry) for entry in entries])
        assert 0 < reader.bytes_read <= reader.bytes
    assert told[0] == told[1]


def _plain(entry):
    return (entry.record, entry.draft, entry.summed, entry.size) if hasattr(entry, "draft") else entry


def test_a_record_that_cannot_be_stored_is_told_in_the_words_of_the_loader(tmp_path, settings, bring_in, by_process):
    settings.MAX_RECORD_BYTES = 1000
    write_history(tmp_path, "s1", [message("s1", 1), message("s1", 2, "x" * 1500)])
    report = bring_in(tmp_path, make_project().pk)
    assert (report.kinds["message"].new, report.kinds["message"].rejected) == (1, 1)
    assert "more than 1000 bytes" in report.findings[0].detail


def test_what_is_no_text_that_can_be_sent_is_sent_all_the_same():
    at = datetime(2026, 1, 1, tzinfo=UTC)
    record = LegacyRecord("message", "s", "r", at, {"role": "user", "content": "x", "metadata": {}}, Place("a\udcff"))
    finding = Finding(Level.NOTE, "note", Place("b"), "detail", "file")
    entries = entries_of(unpacked(packed([finding, record, finding], now=at, read=1, total=2)))
    assert (entries[0], entries[1].record, entries[2]) == (finding, record, finding)


@pytest.fixture
def reader_of(monkeypatch):
    """The number of the reading process, as soon as there is one."""
    begun = []
    begin = process.ReadingProcess.__init__

    def remembering(self, job):
        begin(self, job)
        begun.append(self._process.pid)

    monkeypatch.setattr(process.ReadingProcess, "__init__", remembering)
    return begun


def _is_there(number):
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.usefixtures("by_process", "small_batches")
def test_a_killed_reader_is_told_and_the_run_goes_on_where_it_stood(tmp_path, now, bring_in, reader_of):
    root, project = large(tmp_path), make_project()

    def kill(_standing):
        os.kill(reader_of[0], signal.SIGKILL)

    with pytest.raises(ReaderFailed, match="signal 9"):
        bring_in(root, project.pk, progress=kill)
    run = ImportRun.objects.get()
    assert (run.status, run.failure) == (
        "failed",
        "ReaderFailed: The process that reads the store was ended: signal 9.",
    )
    assert 0 < Message.objects.count() == run.position < MESSAGES
    caller = Caller("system", "test", "admin", project_ids=None, project_id=project.pk)
    report = import_resume(path=root, project_id=project.pk, now=now, caller=caller)
    assert (report.status, report.kinds["message"].new, Message.objects.count()) == ("completed", MESSAGES, MESSAGES)


@pytest.mark.usefixtures("by_process", "small_batches")
def test_an_import_that_fails_leaves_no_reader_behind(tmp_path, bring_in, reader_of):
    def fail(_standing):
        raise KeyError("stop")

    with pytest.raises(KeyError, match="stop"):
        bring_in(large(tmp_path), make_project().pk, progress=fail)
    assert [_is_there(number) for number in reader_of] == [False]


def test_an_error_in_the_reader_is_told_with_where_it_happened(tmp_path, now):
    no_limit: Any = None
    job = ReadingJob(filled(tmp_path), "history_store", UTC, Limits(), {}, now, no_limit)
    with pytest.raises(ReaderFailed, match="TypeError") as told, ReadingProcess(job).entries() as entries:
        list(entries)
    assert any("Traceback" in note for note in told.value.__notes__)


def test_a_reader_ends_with_the_process_that_began_it(tmp_path):
    large(tmp_path)
    program = f"""
import pathlib, sys
from datetime import UTC, datetime
from django.conf import settings
settings.configure(BASE_DIR=pathlib.Path({str(ROOT)!r}), MAX_RECORD_BYTES=1000000, USE_I18N=False)
from backups_app.legacy.types import Limits
from backups_app.services.legacy_reading.job import ReadingJob
from backups_app.services.legacy_reading.process import ReadingProcess
path = pathlib.Path({str(tmp_path)!r})
reader = ReadingProcess(ReadingJob(path, "history_store", UTC, Limits(), {{}}, datetime.now(UTC), 1000000))
with reader.entries() as entries:
    next(entries)
    print(reader._process.pid, flush=True)
    sys.stdin.read()
"""
    command = [sys.executable, "-c", program]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as importing:
        number = int(importing.stdout.readline())
        assert _is_there(number)
        importing.kill()
    until = time.monotonic() + 30
    while _is_there(number) and time.monotonic() < until:
        time.sleep(0.02)
    assert not _is_there(number)
