"""An import brings a store in whole, counts what became of everything, and can be run again at any time."""

import json
from decimal import Decimal

import pytest

from backups_app.models import ImportFinding, ImportRun
from config.shared.callers import Caller
from config.shared.errors import InvalidInput
from config.shared.fields import ExactSum
from history_app.models import ErrorRecord, LLMCall, Message, Metric, TokenUsage, ToolCall
from sessions_app.models import AuditEntry, Session, SystemConfig, Workflow, WorkflowRun
from sessions_app.services.configs import config_set, configs_seed
from sessions_app.services.drafts import SessionDraft
from sessions_app.services.sessions import session_create
from tests.samples.history_store import (
    message,
    record,
    session_row,
    write,
    write_database,
    write_history,
    write_session,
)

USAGE = {"model": "gpt-4o", "prompt_tokens": 100, "completion_tokens": 50, "total_tokens": 150}


@pytest.fixture
def store(tmp_path):
    """A store with one of everything."""
    state = {"messages": [{"role": "user", "content": "hello"}], "current_step": "act", "iteration_count": 2, "mood": 1}
    write_session(tmp_path, "s1", state=state, status="completed", user_id="u1", tags=["vip"], source="mail")
    write_history(tmp_path, "s1", [
        message("s1", 1, "hello"),
        record("llm_request", "s1", 2, model="gpt-4o", provider="openai", messages=[{"role": "user"}], parameters={}),
        record("llm_response", "s1", 3, model="gpt-4o", provider="openai", response="hi", response_time=0.5),
        record("token_usage", "s1", 3, source="api_call", **USAGE),
        json.dumps(record("cost", "s1", 3, total_cost="#", **USAGE)).replace('"#"', "0.00112500000000000001"),
        record("tool_call", "s1", 4, tool_name="search", tool_input={"q": 1}, tool_output=[1], success=True),
        record("error", "s1", 5, error_id="e", error_type="Timeout", error_message="slow", severity="warning"),
        {**message("s1", 6, "hi"), "message_type": "assistant"},
    ])  # fmt: skip
    write(tmp_path, "configs/global.yaml", "level: INFO\n")
    write(tmp_path, "configs/llms/gpt-4o.yaml", "api_key: sk-FAKE0123456789abcdef\n")
    write(tmp_path, "configs/workflows/react.yaml", "name: React\nversion: '1.0'\nnodes: [{id: think}]\nedges: []\n")
    rows = {
        "sessions": [session_row("s1", status="completed"), session_row("row-only", workflow_id=None)],
        "workflows": [("react", "React", "", "1.0", "", "2026-10-01T00:00:00Z", "2026-10-02T00:00:00Z", 7, "{}")],
        "statistics": [(None, "s1", "total_tokens", 150.0, "2026-10-01 08:01:00")],
        "errors": [(None, "s1", "Timeout", "slow", None, "warning", "2026-10-01T08:00:05Z")],
        "configurations": [("limit", "10", "system", None)],
    }
    write_database(tmp_path / "data/sessions/metadata.db", rows)
    return tmp_path


def counts(report):
    return {kind: (told["read"], told["new"], told["same"]) for kind, told in report.counts_told().items()}


def test_everything_of_a_store_comes_in_once(store, bring_in):
    report = bring_in(store)
    assert (report.status, report.findings_count) == ("completed", 0)
    assert counts(report) == {
        "config": (3, 3, 0), "secret": (1, 1, 0),
        "workflow": (1, 1, 0), "session": (2, 2, 0), "state": (1, 1, 0), "workflow_run": (1, 1, 0),
        "message": (2, 2, 0), "llm_request": (1, 1, 0), "llm_response": (1, 1, 0), "token_usage": (1, 1, 0),
        "cost": (1, 1, 0), "tool_call": (1, 1, 0), "error": (2, 1, 1), "metric": (1, 1, 0),
    }  # fmt: skip
    facts = [model.objects.count() for model in (Message, LLMCall, TokenUsage, ToolCall, ErrorRecord, Metric)]
    assert facts == [2, 1, 1, 1, 1, 1]


def test_a_second_run_brings_in_nothing_new(store, bring_in):
    first = bring_in(store)
    second = bring_in(store)
    assert counts(second) == {kind: (read, 0, read) for kind, (read, _new, _same) in counts(first).items()}
    assert second.sums_told()["new"] == {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0, "cost": "0"}
    assert {**second.sums_told(), "new": None} == {**first.sums_told(), "new": None}
    assert Message.objects.count() == 2


def test_sums_are_those_of_the_store_and_of_the_ledger(store, bring_in):
    report = bring_in(store)
    assert report.sums_told()["cost"] == "0.00112500000000000001"
    assert TokenUsage.objects.aggregate(cost=ExactSum("cost"))["cost"] == Decimal("0.00112500000000000001")
    assert report.sums.total_tokens == TokenUsage.objects.get().total_tokens == 150


def test_a_dry_run_says_the_same_and_writes_nothing(store, bring_in):
    dry = bring_in(store, dry_run=True)
    assert dry.run_id is None
    left = [model.objects.count() for model in (Session, Message, SystemConfig, Workflow, ImportRun, ImportFinding)]
    assert left[:2] == [0, 0]
    assert left[3:] == [0, 0, 0]
    assert counts(dry) == counts(bring_in(store))


def test_a_session_keeps_every_key_and_its_state(store, bring_in):
    bring_in(store)
    session = Session.objects.get(session_id="s1")
    assert (session.user_id, session.status, session.tags) == ("u1", "completed", ["vip"])
    assert session.metadata == {"source": "mail", "workflow_id": "run-s1"}
    assert session.created_at.isoformat() == "2026-10-01T08:00:00+00:00"
    state = session.states.get()
    assert (state.current_step, state.iteration_count) == ("act", 2)
    assert state.data == {"messages": [{"role": "user", "content": "hello"}], "mood": 1}
    assert session.expires_at is None


def test_the_run_of_a_workflow_is_made_of_its_session(store, bring_in):
    bring_in(store)
    run = WorkflowRun.objects.get()
    assert (run.run_id, run.workflow.workflow_id, run.session.session_id) == ("run-s1", "react", "s1")
    assert (run.status, run.current_node, run.execution_time) == ("completed", "act", 3600.0)
    workflow = run.workflow
    assert (workflow.name, workflow.nodes, workflow.usage_count) == ("React", [{"id": "think"}], 7)


def test_secrets_are_sealed_and_told_to_nobody(store, bring_in):
    bring_in(store)
    config = SystemConfig.objects.get(key="llms.gpt-4o")
    assert config.value == {"api_key": "********"}
    assert config.unseal() == {"/api_key": "sk-FAKE0123456789abcdef"}
    told = json.dumps(list(ImportRun.objects.values("counts", "options")), default=str)
    told += json.dumps(list(AuditEntry.objects.values()), default=str) + config.sealed_secrets
    assert "sk-FAKE" not in told


def test_a_request_and_its_response_are_one_call(store, bring_in):
    bring_in(store)
    call = LLMCall.objects.get()
    assert (call.request_id, call.response, call.response_record_id) == ("llm_request_2", "hi", "llm_response_3")


def test_records_without_a_session_get_a_placeholder_that_a_later_import_fills(tmp_path, bring_in):
    write_history(tmp_path, "s1", [message("s1", 5), message("s1", 9)])
    report = bring_in(tmp_path)
    session = Session.objects.get()
    assert (session.metadata, session.status) == ({"placeholder": True}, "inactive")
    assert session.created_at.isoformat() == "2026-10-01T08:00:05+00:00"
    assert counts(report)["placeholder_session"] == (1, 1, 0)
    assert counts(bring_in(tmp_path))["placeholder_session"] == (1, 0, 1)
    write_session(tmp_path, "s1", title="Found")
    assert counts(bring_in(tmp_path))["session"] == (1, 1, 0)
    session.refresh_from_db()
    assert (session.title, "placeholder" in session.metadata) == ("Found", False)
    assert Message.objects.count() == 2


def test_a_session_without_history_speaks_from_its_state(tmp_path, bring_in):
    said = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "yes"}]
    write_session(tmp_path, "s1", state={"messages": said})
    bring_in(tmp_path)
    assert list(Message.objects.order_by("sequence").values_list("record_id", "content")) == [
        ("state:0", "hi"),
        ("state:1", "yes"),
    ]
    assert Message.objects.first().metadata == {"origin": "state.messages"}


def test_what_is_stored_stays_and_the_contradiction_is_told(tmp_path, bring_in, project, now):
    caller = Caller("system", "test", "admin", project_ids=None, project_id=project.pk)
    session_create(project_id=project.pk, draft=SessionDraft(session_id="s1", title="ours"), now=now)
    config_set(project_id=project.pk, key="llms.a", value={"model": "ours"}, now=now, caller=caller)
    write_session(tmp_path, "s1", title="theirs")
    write(tmp_path, "configs/llms/a.yaml", "model: theirs\n")
    write_history(tmp_path, "s1", [message("s1", 1, "first"), message("s1", 1, "second"), message("s1", 1, "first")])
    report = bring_in(tmp_path)
    assert report.status == "completed"
    conflicting = {kind: told["conflicting"] for kind, told in report.counts_told().items() if told["conflicting"]}
    assert conflicting == {"session": 1, "state": 1, "config": 1, "message": 1, "workflow_run": 1}
    assert Session.objects.get().title == "ours"
    assert Message.objects.get().content == "first"
    findings = ImportFinding.objects.filter(level="conflict")
    assert sorted(findings.values_list("kind", flat=True)) == ["config", "message", "session", "workflow_run"]
    assert "second" in findings.get(kind="message").raw
    assert (findings.get(kind="message").path, findings.get(kind="message").line) == ("history/202610/s1.jsonl", 2)


def test_a_default_that_nobody_touched_gives_way(tmp_path, bring_in, project, now):
    configs_seed(project_id=project.pk, now=now)
    write_database(tmp_path / "metadata.db", {"configurations": [("log_level", "DEBUG", "system", None)]})
    assert counts(bring_in(tmp_path))["config"] == (1, 1, 0)
    config = SystemConfig.objects.get(key="log_level")
    assert (config.value, config.section) == ("DEBUG", "system")
    assert counts(bring_in(tmp_path))["config"] == (1, 0, 1)


def test_bad_items_are_findings_and_the_rest_comes_in(tmp_path, bring_in):
    write_session(tmp_path, "s1")
    write(tmp_path, "sessions/broken.json", "{")
    deep = json.loads("[" * 90 + "]" * 90)
    write_history(tmp_path, "s1", [message("s1", 1), "not json", message("s1", 2, deep), message("s1", 3)])
    report = bring_in(tmp_path)
    told = report.counts_told()
    assert (told["message"]["read"], told["message"]["new"], told["message"]["rejected"]) == (3, 2, 1)
    assert (told["record"]["rejected"], told["session"]["rejected"]) == (1, 1)
    assert report.balances
    places = ImportFinding.objects.filter(level="rejected").order_by("path", "line").values_list("path", "line", "code")
    assert list(places) == [
        ("history/202610/s1.jsonl", 2, "invalid_json"),
        ("history/202610/s1.jsonl", 3, "not_storable"),
        ("sessions/broken.json", None, "invalid_json"),
    ]


def test_a_record_over_the_limit_is_told_and_its_neighbours_come_in(tmp_path, bring_in, settings):
    settings.MAX_RECORD_BYTES = 1000
    lines = [message("s1", 1), message("s1", 2, "x" * 1500), message("s1", 3, "x" * 5000), message("s1", 4)]
    write_history(tmp_path, "s1", lines)
    report = bring_in(tmp_path)
    assert (counts(report)["message"], report.kinds["record"].rejected) == ((3, 2, 0), 1)
    rejected = ImportFinding.objects.filter(level="rejected").order_by("line")
    assert list(rejected.values_list("line", "code")) == [(2, "not_storable"), (3, "line_too_long")]


def test_one_record_in_two_files_is_summed_once(tmp_path, bring_in):
    usage = record("token_usage", "s1", 1, **USAGE)
    write_history(tmp_path, "s1", [usage])
    write_history(tmp_path, "aggregated_202610", [usage])
    report = bring_in(tmp_path)
    assert (counts(report)["token_usage"], report.sums.total_tokens) == ((2, 1, 1), 150)


def test_the_run_is_recorded_with_its_counts(store, bring_in, now):
    report = bring_in(store)
    run = ImportRun.objects.get()
    assert (run.pk, run.status, run.source_format, run.started_at) == (report.run_id, "completed", "history_store", now)
    assert run.counts == report.counts_told()
    assert run.finished_at >= run.started_at
    assert AuditEntry.objects.filter(action="import.run", target_id=str(run.pk)).count() == 1


def test_an_error_of_ours_leaves_a_failed_run(store, bring_in):
    def stop(_standing):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        bring_in(store, progress=stop)
    assert ImportRun.objects.get().status == "failed"
    assert bring_in(store).status == "completed"


def test_a_path_without_a_store_is_refused(tmp_path, bring_in):
    for path in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(InvalidInput):
            bring_in(path)
    assert not ImportRun.objects.exists()


def test_other_projects_see_nothing_of_it(store, bring_in, other_project):
    bring_in(store)
    assert not Session.objects.filter(project=other_project).exists()
    assert not Message.objects.filter(project=other_project).exists()
