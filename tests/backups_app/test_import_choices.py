"""What may be chosen for an import: words for states, what becomes of conflicts, the report, several stores."""

import io
import json
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from backups_app.management.import_progress import Lines, shown, told
from backups_app.models import ImportFinding, ImportOrigin, ImportRun
from backups_app.services.import_undo import import_undo
from backups_app.services.legacy_import import chunks, import_resume, store_import
from backups_app.services.legacy_import.conflicts import OnConflict
from backups_app.services.legacy_import.options import ImportOptions
from backups_app.services.legacy_import.runner import Standing
from config.shared.callers import Caller
from config.shared.errors import InvalidInput
from history_app.models import LLMCall, Message, TokenUsage
from sessions_app.models import Session, SystemConfig, Workflow
from tests.backups_app.imported_rows import checksum
from tests.factories import make_project
from tests.samples.history_store import message, record, write, write_history, write_session

pytestmark = pytest.mark.django_db
USAGE = {"model": "gpt-4o", "prompt_tokens": 100, "completion_tokens": 50, "total_tokens": 150}


@pytest.fixture
def project():
    return make_project()


@pytest.fixture
def bring_in(project, now):
    """Import a folder with these choices."""
    caller = Caller("system", "test", "admin", project_ids=None, project_id=project.pk)

    def run(path, *, resume=False, **given):
        options = ImportOptions(**{name: given.pop(name) for name in ("statuses", "on_conflict") if name in given})
        known = {"path": path, "project_id": project.pk, "now": now, "caller": caller, **given}
        return import_resume(**known) if resume else store_import(**known, options=options)

    return run


def test_a_word_for_a_status_means_what_is_said(bring_in, tmp_path):
    write_session(tmp_path, "s1", status="Shelved")
    report = bring_in(tmp_path, statuses={"Shelved": "paused"})
    session = Session.objects.get()
    assert (session.status, session.metadata["status_as_found"]) == ("paused", "Shelved")
    assert report.kinds["session"].repaired == 0
    assert ImportRun.objects.get().options["map_status"] == {"Shelved": "paused"}


def test_a_status_that_is_none_is_refused(bring_in, tmp_path):
    write_session(tmp_path, "s1")
    with pytest.raises(InvalidInput, match="cannot become gone"):
        bring_in(tmp_path, statuses={"x": "gone"})


def _lines(word, cost=1):
    return [
        message("s1", 1, word), message("s1", 2, "the same"),
        record("token_usage", "s1", 3, source="api_call", **{**USAGE, "total_tokens": 150 + len(word)}),
        record("tool_call", "s1", 4, tool_name=word, tool_input={}, tool_output=[], success=True),
        record("llm_request", "s1", 5, request_id="r1", model=word, provider="p", messages=[], parameters={}),
        record("llm_response", "s1", 6, request_id="r1", model=word, provider="p", response=word, response_time=1),
    ]  # fmt: skip


@pytest.fixture
def two(tmp_path):
    """Two stores that tell different things under the same ids."""
    for word in ("one", "other"):
        root = tmp_path / word
        write_session(root, "s1", state={"current_step": word}, title=word, status="completed")
        write_history(root, "s1", _lines(word))
        write(root, "configs/global.yaml", f"level: {word}\n")
        write(root, "configs/workflows/react.yaml", f"name: {word}\nnodes: [{{id: {word}}}]\nedges: []\n")
    return tmp_path / "one", tmp_path / "other"


KINDS = ("session", "message", "token_usage", "tool_call", "llm_request", "llm_response", "config", "workflow")


def _counts(report, name):
    return {kind: getattr(report.kinds[kind], name) for kind in KINDS}


def test_what_is_stored_stays_unless_something_else_is_said(bring_in, two):
    bring_in(two[0])
    report = bring_in(two[1])
    assert _counts(report, "conflicting") == dict.fromkeys(KINDS, 1)
    assert _counts(report, "replaced") == _counts(report, "both") == dict.fromkeys(KINDS, 0)
    assert Session.objects.get().title == "one"


def test_conflicts_are_replaced_when_that_is_said_and_the_former_content_is_in_the_findings(bring_in, two, project):
    bring_in(two[0])
    report = bring_in(two[1], on_conflict=OnConflict.REPLACE)
    assert report.balances
    assert _counts(report, "conflicting") == _counts(report, "replaced") == dict.fromkeys(KINDS, 1)
    session = Session.objects.get()
    assert (session.title, session.version) == ("other", 2)
    assert [state.current_step for state in session.states.order_by("version")] == ["one", "other"]
    assert session.states.current().get().version == 2
    assert Message.objects.get(record_id="message_1").content == "other"
    assert TokenUsage.objects.get().total_tokens == 155
    call = LLMCall.objects.get()
    assert (call.model, call.response) == ("other", "other")
    (setting,) = SystemConfig.objects.filter(project=project)
    assert "other" in str(setting.value)
    assert Workflow.objects.get(project=project, workflow_id="react").nodes == [{"id": "other"}]
    before = ImportFinding.objects.filter(code="replaced").values_list("kind", "raw")
    assert {kind for kind, raw in before if "one" in raw} >= {
        "session",
        "message",
        "tool_call",
        "llm_request",
        "config",
    }
    again = bring_in(two[1], on_conflict=OnConflict.REPLACE)
    assert _counts(again, "conflicting") == dict.fromkeys(KINDS, 0)
    assert _counts(again, "same") == dict.fromkeys(KINDS, 1) | {"message": 2}


def test_both_are_kept_when_that_is_said_and_records_follow_their_session(bring_in, two, project):
    bring_in(two[0])
    before = checksum(project.pk)
    report = bring_in(two[1], on_conflict=OnConflict.BOTH)
    assert report.balances
    first, second = Session.objects.order_by("pk")
    assert (first.session_id, first.title, second.title) == ("s1", "one", "other")
    assert second.session_id.startswith("s1~")
    assert [each.content for each in Message.objects.filter(session=second).order_by("sequence")] == [
        "other",
        "the same",
    ]
    assert Message.objects.filter(session=first).count() == 2
    assert _counts(report, "both")["session"] == _counts(report, "both")["config"] == 1
    after = checksum(project.pk)
    again = bring_in(two[1], on_conflict=OnConflict.BOTH)
    assert {kind: counts.new for kind, counts in again.kinds.items() if counts.new} == {}
    assert sum(counts.both for counts in again.kinds.values()) == 0
    assert after != before
    assert Session.objects.count() == 2


def test_records_of_one_session_are_kept_beside_each_other(bring_in, tmp_path):
    write_history(tmp_path / "one", "s1", _lines("one"))
    write_history(tmp_path / "other", "s1", _lines("other"))
    bring_in(tmp_path / "one")
    report = bring_in(tmp_path / "other", on_conflict=OnConflict.BOTH)
    assert report.kinds["message"].both == report.kinds["tool_call"].both == report.kinds["llm_request"].both == 1
    assert sorted(Message.objects.values_list("content", flat=True)) == ["one", "other", "the same"]
    assert Message.objects.filter(record_id__startswith="message_1~").count() == 1
    again = bring_in(tmp_path / "other", on_conflict=OnConflict.BOTH)
    assert {kind: counts.new + counts.both for kind, counts in again.kinds.items() if counts.new + counts.both} == {}


def test_what_was_replaced_cannot_be_taken_back_and_what_was_kept_beside_can(bring_in, two, project, now):
    caller = Caller("system", "test", "admin", project_ids=None, project_id=project.pk)
    bring_in(two[0])
    given = {"project_id": project.pk, "now": now, "caller": caller, "dry_run": False}
    before = checksum(project.pk)
    beside = bring_in(two[1], on_conflict=OnConflict.BOTH)
    assert import_undo(run_id=beside.run_id, **given).done
    ImportFinding.objects.filter(run=beside.run_id).delete()
    assert checksum(project.pk) == before
    replaced = bring_in(two[1], on_conflict=OnConflict.REPLACE)
    report = import_undo(run_id=replaced.run_id, **given)
    assert not report.done
    assert any("replaced message 'message_1' cannot be taken back" in told for told in report.obstacles)


def test_the_report_is_a_summary_and_a_line_for_every_finding(bring_in, tmp_path):
    secret = "sk-FAKE0123456789abcdef"
    write_history(tmp_path / "store", "s1", [message("s1", 1), "broken", message("s1", 2), f"broken {secret}"])
    write(tmp_path / "store", "configs/llms/gpt-4o.yaml", f"api_key: {secret}\n")
    target = tmp_path / "told" / "report.json"
    report = bring_in(tmp_path / "store", report_to=target)
    summary = json.loads(target.read_text())
    assert (summary["run"], summary["status"], summary["kinds"]) == (report.run_id, "completed", report.counts_told())
    lines = [json.loads(line) for line in (target.parent / summary["findings"]).read_text().splitlines()]
    assert [(line["path"], line["line"]) for line in lines if line["level"] == "rejected"] == [
        ("history/202610/s1.jsonl", 2), ("history/202610/s1.jsonl", 4),
    ]  # fmt: skip
    assert len(lines) == report.findings_count
    assert secret not in target.read_text() + (target.parent / summary["findings"]).read_text()
    assert target.stat().st_mode & 0o077 == 0
    assert ImportRun.objects.get().report == str(target)


@pytest.fixture
def several(tmp_path):
    """A folder with two history stores that use the same session id, payloads, a dump, and something else."""
    root = tmp_path / "all"
    for name in ("a", "b"):
        write_session(root / name, "s1", title=name, state={"current_step": name})
        write_history(root / name, "s1", [message("s1", 1, name), "broken"])
    payload = {"metadata": {"session_id": "p1", "status": "active"}, "thread_configs": {}, "workflow_state": {}}
    write(root, "deep/er/payloads/p1.json", json.dumps({**payload, "settings": {}}))
    write(root, "dump.sql", "INSERT INTO chat_sessions (session_id, user_id) VALUES ('d1','u');\n")
    write(root, "notes.txt", "nothing")
    return root


def test_a_folder_of_several_stores_is_one_run(bring_in, several):
    report = bring_in(several)
    assert report.balances
    run = ImportRun.objects.get()
    assert run.source_format == "several"
    assert sorted(Session.objects.values_list("session_id", flat=True)) == ["d1", "p1", "s1"]
    paths = {(finding.level.value, finding.place.path) for finding in report.findings}
    assert {("rejected", "a/history/202610/s1.jsonl"), ("rejected", "b/history/202610/s1.jsonl")} <= paths
    assert ("skipped", "notes.txt") in paths
    assert ImportOrigin.objects.filter(path="deep/er/payloads/p1.json").exists()
    again = bring_in(several)
    assert {kind: counts.new for kind, counts in again.kinds.items() if counts.new} == {}


def test_ids_that_collide_across_stores_are_kept_apart(bring_in, several):
    bring_in(several, on_conflict=OnConflict.BOTH)
    first, second = Session.objects.filter(session_id__startswith="s1").order_by("pk")
    for session, word in ((first, "a"), (second, "b")):
        assert (session.title, session.states.get().current_step) == (word, word)
        assert Message.objects.get(session=session).content == word


def test_several_stores_are_resumed_with_their_ids_apart(bring_in, several, project, monkeypatch):
    class Stopped(Exception):
        pass

    def tell(standing):
        # The sessions of the second store are committed, their messages are not.
        if Session.objects.filter(session_id__startswith="s1~").exists():
            raise Stopped

    monkeypatch.setattr(chunks, "CHUNK_ENTRIES", 1)
    with pytest.raises(Stopped):
        bring_in(several, on_conflict=OnConflict.BOTH, progress=tell)
    assert not Message.objects.filter(content="b").exists()
    report = bring_in(several, resume=True)
    assert report.status == "completed"
    assert Message.objects.get(content="b").session.session_id.startswith("s1~")


def test_a_line_says_how_far_it_is_how_fast_and_how_long_yet():
    standing = Standing(bytes_read=25_000_000, bytes=100_000_000, entries=6000, passed=1000, seconds=10.0)
    assert told(standing) == "25 %, 25.0 of 100.0 MB, 6,000 entries, 500/s, about 30 s left"
    assert told(Standing(0, 0, 0, 0, 0.0)) == "0.0 of 0.0 MB, 0 entries, 0/s"


def test_elsewhere_than_on_a_terminal_a_line_comes_now_and_then():
    out, moments = io.StringIO(), iter([0.0, 3.0, 11.0, 12.0])
    lines = Lines(out, clock=lambda: next(moments))
    for entries in (10, 20, 30):
        lines(Standing(1_000_000, 2_000_000, entries, 0, 1.0))
    assert out.getvalue().splitlines() == ["50 %, 1.0 of 2.0 MB, 20 entries, 20/s, about 1 s left"]
    with shown(out) as progress:
        assert isinstance(progress, Lines)


def test_the_command_takes_all_of_these_choices(project, two, tmp_path):
    def run(*arguments):
        out = StringIO()
        call_command("import_legacy", *map(str, arguments), "--project", project.slug, stdout=out)
        return out.getvalue()

    run(two[0])
    report = tmp_path / "r.json"
    text = run(two[1], "--on-conflict", "replace", "--map-status", "completed=paused", "--report", report)
    assert f"Report: {report}" in text
    assert Session.objects.get().status == "paused"
    for bad in (["--map-status", "completed"], ["--map-status", "a=b"], ["--on-conflict", "else"]):
        with pytest.raises(CommandError):
            run(two[1], *bad)
