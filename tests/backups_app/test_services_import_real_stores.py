"""The import of the real stores beside the repository, where they are: their expectations hold in the ledger."""

import json
from collections import Counter
from decimal import Decimal
from pathlib import Path

import pytest
from django.db.models import Count, F, Sum

from backups_app.models import ImportFinding
from backups_app.services.legacy_import import store_import
from config.shared.callers import Caller
from config.shared.fields import ExactSum
from history_app.models import ErrorRecord, LLMCall, Message, Metric, TokenUsage, ToolCall
from sessions_app.models import Session, SessionState, SystemConfig, Workflow
from tests.backups_app.real_stores import REAL, with_real_stores

pytestmark = with_real_stores


@pytest.fixture
def bring_in(project, now):
    """Import a real store into the default project."""
    caller = Caller("system", "test", "admin", project_ids=None, project_id=project.pk)

    def run(name):
        return store_import(path=REAL / name, project_id=project.pk, now=now, caller=caller)

    return run


def test_the_clean_store_is_in_the_ledger_as_expected(bring_in):
    expected = json.loads((REAL / "stores/history_store/expected.json").read_text(encoding="utf-8"))
    counts = expected["counts"]
    report = bring_in("stores/history_store")
    assert (report.status, {kind.conflicting + kind.rejected for kind in report.kinds.values()}) == ("completed", {0})
    stored = {
        "history_message": Message, "history_tool_call": ToolCall, "history_llm_request": LLMCall,
        "history_llm_response": LLMCall, "history_token_usage": TokenUsage, "history_error": ErrorRecord,
        "db_statistics": Metric, "sessions": Session, "db_workflows": Workflow,
    }  # fmt: skip
    assert {name: model.objects.count() for name, model in stored.items()} == {name: counts[name] for name in stored}
    assert TokenUsage.objects.filter(cost_record_id__isnull=False).count() == counts["history_cost"]
    roles = dict(Message.objects.values_list("role").annotate(n=Count("id")).order_by("role"))
    assert roles == expected["messages_by_type"]
    words = Counter(row.metadata.get("status_as_found", row.status) for row in Session.objects.all())
    assert words == expected["sessions_by_status"]
    configs = sum(counts["config_files"].values()) - counts["config_files"]["workflows"] + counts["db_configurations"]
    assert report.kinds["config"].new == configs
    assert SystemConfig.objects.filter(section="agents").count() == counts["config_files"]["agents"]


def test_tokens_and_money_are_exact_to_the_last_digit(bring_in):
    expected = json.loads((REAL / "stores/history_store/expected.json").read_text(encoding="utf-8"))
    report = bring_in("stores/history_store")
    names = tuple(expected["token_usage_sum"])
    assert TokenUsage.objects.aggregate(**{name: Sum(name) for name in names}) == expected["token_usage_sum"]
    assert TokenUsage.objects.aggregate(cost=ExactSum("reported_cost"))["cost"] == Decimal(expected["cost_sum"])
    assert {name: getattr(report.sums, name) for name in names} == expected["token_usage_sum"]
    assert report.sums.cost == Decimal(expected["cost_sum"])
    priced = TokenUsage.objects.filter(reported_cost__isnull=False).values("model")
    by_model = {row["model"]: row["sum"] for row in priced.annotate(sum=ExactSum("reported_cost"))}
    assert by_model == {model: Decimal(cost) for model, cost in expected["cost_by_model"].items()}


def test_sessions_and_states_come_back_as_their_files_have_them(bring_in):
    bring_in("stores/history_store")
    states = {state.session.session_id: state for state in SessionState.objects.select_related("session")}
    for path in (REAL / "stores/history_store/sessions").glob("*-*.json"):
        told = json.loads(path.read_text(encoding="utf-8"))
        state = states[told["metadata"]["session_id"]]
        assert state.data["messages"] == told["state"]["messages"]
        for key in ("tool_results", "current_step", "iteration_count", "max_iterations", "workflow_name", "errors"):
            assert getattr(state, key) == told["state"][key]
        session = state.session
        assert session.metadata["workflow_id"] == told["metadata"]["workflow_id"]
        assert session.agent_config == told["metadata"]["agent_config"]
        assert session.workflow_config == told["workflow_config"]


@pytest.mark.parametrize("name", ["stores/history_store", "dirty/history_store"])
def test_a_second_run_changes_nothing(bring_in, name):
    first, second = bring_in(name), bring_in(name)
    assert first.balances
    assert {kind: counts.new for kind, counts in second.kinds.items() if counts.new} == {}
    assert {kind: counts.read for kind, counts in second.kinds.items()} == {
        kind: counts.read for kind, counts in first.kinds.items()
    }
    assert second.sums == first.sums


def test_every_fault_of_the_dirty_store_is_told_with_its_place(bring_in):
    report = bring_in("dirty/history_store")
    assert report.status == "completed"
    rows = ImportFinding.objects.filter(level="rejected")
    assert rows.count() == sum(counts.rejected for counts in report.kinds.values())
    assert not rows.filter(path="").exists()
    assert not rows.filter(kind="record", line__isnull=True).exists()
    conflict = ImportFinding.objects.get(level="conflict", kind="message")
    assert "另一份内容" in conflict.raw


KEPT_CASES = (
    "truncated_last_line", "bad_line_in_the_middle", "duplicate_record_id_identical", "orphan_history",
    "duplicate_record_id_conflict", "one_session_in_two_months", "timestamps", "token_values", "utf8_bom",
    "crlf_and_unicode_line_breaks", "empty_session_file", "truncated_session_file", "month_folder_disagrees",
    "file_order_is_not_time_order", "unknown_record_type", "content_shapes", "empty_history_file",
)  # fmt: skip


def kept(session_id):
    """How many records of a session the ledger holds: a call and a usage row may stand for two each."""
    of_session = {"session__session_id": session_id}
    plain = sum(model.objects.filter(**of_session).count() for model in (Message, ToolCall, ErrorRecord))
    calls, usage = LLMCall.objects.filter(**of_session), TokenUsage.objects.filter(**of_session)
    requests = calls.exclude(response_record_id=F("record_id")).count()
    responses = calls.filter(response_record_id__isnull=False).count()
    uses = usage.exclude(record_id__startswith="cost:").count()
    costs = usage.filter(cost_record_id__isnull=False).count()
    return plain + requests + responses + uses + costs


def test_each_good_record_of_the_dirty_store_is_kept_once(bring_in):
    bring_in("dirty/history_store")
    manifest = json.loads((REAL / "dirty/history_store/manifest.json").read_text(encoding="utf-8"))
    cases = {case["case"]: case for case in manifest["cases"]}
    found = {name: kept(Path(_history(cases[name])).stem) for name in KEPT_CASES}
    assert found == {name: cases[name]["good"] for name in KEPT_CASES}


def _history(case):
    return next(path for path in case["paths"] if path.startswith("history/"))


def test_messages_are_numbered_in_time_order(bring_in):
    bring_in("dirty/history_store")
    for session_id in ("dfsdt-241211-072307-a64684", "toolcalling-241216-220528-0cf041"):
        times = list(
            Message.objects.filter(session__session_id=session_id).order_by("sequence").values_list("timestamp")
        )
        assert times == sorted(times)
        assert times


def test_no_secret_of_the_dirty_store_can_be_found_in_clear(bring_in):
    bring_in("dirty/history_store")
    text = (REAL / "dirty/history_store/configs/llms/secret.yaml").read_text(encoding="utf-8")
    secrets = [word for word in text.split() if "FAKE" in word] + ["user:" + text.split("user:")[1].split("@")[0]]
    told = json.dumps(list(SystemConfig.objects.values()), default=str)
    told += json.dumps(list(ImportFinding.objects.values()), default=str)
    assert len(secrets) == 3
    assert [secret for secret in secrets if secret in told] == []
    env = SystemConfig.objects.get(key="llms.env")
    assert env.value == {"api_key": "${OPENAI_API_KEY}", "path": "${HOME:/root}"}
