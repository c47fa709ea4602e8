"""The import of `agent_flow.db`: once, sealed, and as the real stores beside the repository expect it."""

import json
import shutil
from collections import Counter
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from django.apps import apps

from backups_app.models import ImportFinding
from backups_app.services.legacy_import import chunks, import_resume, store_import
from config.shared.callers import Caller
from history_app.models import Subtask, Task, ToolCall
from sessions_app.models import KnowledgeSource, ProviderKey, Session, SystemConfig, UserConfig
from sessions_app.services.configs import configs_seed
from sessions_app.services.knowledge import knowledge_source_undelete
from sessions_app.services.user_configs import provider_key_set, user_config_save
from tests.backups_app.imported_rows import rows as rows_of
from tests.backups_app.real_stores import REAL, with_real_stores
from tests.backups_app.reports import new
from tests.factories import make_project
from tests.samples.agent_flow import KEY, ROWS, config, source, task, user, write_backup, write_database

BROUGHT = (Session, Task, Subtask, ToolCall, UserConfig, ProviderKey, KnowledgeSource)
WORLD = {
    "history_store": "stores/history_store", "blueplan": "stores/blueplan", "agent_flow": "stores/agent_flow",
    "mysql_chat": "stores/mysql_chat", "session_payloads": "stores/session_payloads",
}  # fmt: skip


@pytest.fixture
def caller(project):
    """Who imports."""
    return Caller("system", "test", "admin", project_ids=None, project_id=project.pk)


def unaccepted(report):
    return {kind: counts for kind, counts in report.kinds.items() if counts.conflicting or counts.rejected}


def test_a_store_comes_in_once(tmp_path, bring_in):
    path = write_database(tmp_path / "agent_flow.db")
    first, second = bring_in(tmp_path), bring_in(path)
    assert new(first) == {
        "session": 2, "task": 2, "subtask": 2, "tool_call": 2, "user_config": 2, "provider_key": 1, "config": 2,
        "knowledge_source": 2,
    }  # fmt: skip
    assert (first.status, second.status, new(second), unaccepted(second)) == ("completed", "completed", {}, {})
    found = Task.objects.get(record_id="task_history:1")
    assert (found.session.session_id, found.user_input, found.results) == ("s1", "do 1", {"final": "done"})
    assert found.updated_at == datetime(2026, 10, 1, 8, 1, tzinfo=UTC)
    assert found.metadata == {}
    assert list(found.subtasks.order_by("subtask_index").values_list("description", "validation_report")) == [
        ("step 0", {}), ("step 1", {"passed": True}),
    ]  # fmt: skip
    call = ToolCall.objects.get(record_id="tool_logs:1")
    assert (call.task, call.tool_input, call.tool_output, call.execution_time) == (
        found,
        {"q": "订"},
        {"hits": [1]},
        0.25,
    )


def test_a_session_is_marked_as_known_by_name_alone(tmp_path, bring_in):
    write_database(tmp_path / "agent_flow.db")
    bring_in(tmp_path)
    session = Session.objects.get(session_id="s1")
    assert session.metadata == {"placeholder": True}
    assert session.created_at == datetime(2026, 10, 1, 8, tzinfo=UTC)


def test_keys_are_sealed_and_counts_of_before_stand_beside_our_own(tmp_path, bring_in, owner):
    write_database(tmp_path / "agent_flow.db")
    bring_in(tmp_path)
    row = UserConfig.objects.get(user_id="ada")
    assert row.provider_keys.get(provider="openai").reveal() == KEY
    told = owner.get("/api/user-configs/ada/").json()
    assert told["usage_stats"]["brought_in"] == {"task_count": 3, "total_tokens": 900}
    assert told["usage_stats"]["total_tokens"] == 0
    assert KEY not in json.dumps(told)
    assert owner.get("/api/user-configs/bob/").json()["usage_stats"]["brought_in"] == {}


def test_what_is_stored_of_a_user_stays_and_what_differs_is_told(tmp_path, bring_in, project, now, caller):
    row, _created = user_config_save(
        project_id=project.pk, user_id="ada", preferences={"theme": "light"}, now=now, caller=caller
    )
    provider_key_set(user_config=row, provider="openai", secret="sk-FAKEanother0123456789", now=now, caller=caller)
    keys = json.dumps({"openai": KEY, "qwen": "sk-FAKEqwen0123456789"})
    write_database(tmp_path / "agent_flow.db", {"user_config": [user("ada", api_keys=keys)]})
    report = bring_in(tmp_path)
    assert (report.kinds["user_config"].conflicting, report.kinds["provider_key"].conflicting) == (1, 1)
    assert UserConfig.objects.get(user_id="ada").preferences == {"theme": "light"}
    kept = {key.provider: key.reveal() for key in ProviderKey.objects.filter(user_config=row)}
    assert kept == {"openai": "sk-FAKEanother0123456789", "qwen": "sk-FAKEqwen0123456789"}
    assert not any("sk-FAKE" in str(row) for row in ImportFinding.objects.values())


def test_a_default_that_nobody_touched_gives_way_whatever_its_type(tmp_path, bring_in, project, now):
    configs_seed(project_id=project.pk, now=now)
    rows = [config("llm_temperature", "0,7"), config("rag_top_k", "9", "passages")]
    write_database(tmp_path / "agent_flow.db", {"system_config": rows})
    assert new(bring_in(tmp_path)) == {"config": 2}
    assert SystemConfig.objects.get(key="llm_temperature").value == "0,7"
    kept = SystemConfig.objects.get(key="rag_top_k")
    assert (kept.value, kept.description) == (9, "passages")


def test_a_deleted_source_can_be_taken_back_and_stays_so(tmp_path, bring_in, now, caller):
    write_database(tmp_path / "agent_flow.db")
    bring_in(tmp_path)
    gone = KnowledgeSource.objects.get(source_name="old")
    assert gone.deleted_at == datetime(2026, 10, 1, 8, 0, 2, tzinfo=UTC)
    assert list(KnowledgeSource.objects.alive().values_list("source_name", flat=True)) == ["manual"]
    knowledge_source_undelete(source=gone, now=now, caller=caller)
    report = bring_in(tmp_path)
    assert (new(report), report.kinds["knowledge_source"].conflicting) == ({}, 1)
    assert KnowledgeSource.objects.alive().count() == 2


def test_two_sources_that_are_alike_are_two_also_the_second_time(tmp_path, bring_in):
    write_database(tmp_path / "agent_flow.db", {"knowledge_sources": [source(1), source(2)]})
    assert new(bring_in(tmp_path)) == {"knowledge_source": 2}
    assert new(bring_in(tmp_path)) == {}


def test_a_backup_is_told_and_comes_in_where_it_is_asked_for(tmp_path, bring_in):
    write_database(tmp_path / "agent_flow.db", {"task_history": [task(9, "s9")]})
    folder = write_backup(tmp_path / "backups" / "b1")
    assert new(bring_in(tmp_path)) == {"session": 1, "task": 1}
    assert new(bring_in(folder))["task"] == 2
    assert unaccepted(bring_in(tmp_path / "backups")) == {}


def test_a_task_whose_input_cannot_be_kept_is_told_with_its_steps_and_calls(tmp_path, bring_in, settings):
    settings.MAX_RECORD_BYTES = 1000
    rows = {"task_history": [task(1, user_input="x" * 1500), task(2)]}
    write_database(tmp_path / "agent_flow.db", rows)
    report = bring_in(tmp_path)
    assert (report.status, report.kinds["task"].new, report.kinds["task"].rejected) == ("completed", 1, 1)


@with_real_stores
def test_the_clean_store_is_in_the_ledger_as_expected(bring_in):
    root = REAL / "stores/agent_flow"
    expected = json.loads((root / "expected.json").read_text(encoding="utf-8"))
    counts = expected["counts"]
    report = bring_in(root)
    assert (report.status, unaccepted(report)) == ("completed", {})
    assert not ImportFinding.objects.exclude(level="skipped").exists()
    assert (Session.objects.count(), Task.objects.count(), Subtask.objects.count(), ToolCall.objects.count()) == (
        counts["sessions"], counts["tasks"], counts["subtasks"], counts["tool_logs"],
    )  # fmt: skip
    assert Task.objects.values("session").distinct().count() == counts["distinct_sessions"]
    for model, key in ((Task, "tasks"), (Subtask, "subtasks"), (ToolCall, "tool_logs")):
        assert Counter(model.objects.values_list("status", flat=True)) == expected[f"{key}_by_status"]
    assert not ToolCall.objects.filter(task=None).exists()
    seconds = ToolCall.objects.values_list("execution_time", flat=True)
    assert sum(Decimal(repr(value)) for value in seconds) == Decimal(expected["execution_time_sum"])
    usage = [row.brought_in["usage_stats"] for row in UserConfig.objects.all()]
    assert sum(found["total_tokens"] for found in usage) == expected["usage_stats_total_tokens_sum"]
    assert sum(found["task_count"] for found in usage) == expected["usage_stats_task_count_sum"]
    assert (UserConfig.objects.count(), ProviderKey.objects.count()) == (counts["users"], counts["api_keys"])
    assert report.kinds["config"].new == counts["system_config"]
    assert KnowledgeSource.objects.count() == counts["knowledge_sources"]
    assert KnowledgeSource.objects.alive().count() == counts["knowledge_sources_active"]


@with_real_stores
def test_what_the_spot_checks_say_comes_back(bring_in):
    root = REAL / "stores/agent_flow"
    bring_in(root)
    checks = json.loads((root / "expected.json").read_text(encoding="utf-8"))["spot_checks"]
    for check in checks:
        row = {key: json.loads(value) if key in _JSON and value else value for key, value in check["row"].items()}
        assert _COME_BACK[check["table"]](row), check
    assert Counter(check["table"] for check in checks) == dict.fromkeys(_COME_BACK, 3)


_JSON = {
    "subtasks", "results", "context", "validation_report", "tool_args", "tool_result", "preferences", "api_keys",
    "usage_stats", "metadata",
}  # fmt: skip


def _same_times(stored, row):
    return f"{stored.created_at:%Y-%m-%d %H:%M:%S}" == row["created_at"] and (
        f"{stored.updated_at:%Y-%m-%d %H:%M:%S}" == row["updated_at"]
    )


def _task(row):
    found = Task.objects.get(record_id=f"task_history:{row['task_id']}")
    steps = [
        {"description": step.description, "expected_output": step.expected_output}
        for step in found.subtasks.order_by("subtask_index")
    ]
    return (found.session.session_id, found.user_input, found.results, found.status, steps) == (
        row["session_id"], row["user_input"], row["results"], row["status"], row["subtasks"],
    ) and _same_times(found, row)  # fmt: skip


def _subtask(row):
    record_id = f"task_history:{row['task_id']}"
    found = Subtask.objects.get(task__record_id=record_id, subtask_index=row["subtask_index"])
    return (
        (found.description, found.expected_output, found.actual_output, found.status) == (
            row["description"], row["expected_output"], row["actual_output"] or "", row["status"])
        and (found.context, found.validation_report) == (row["context"] or {}, row["validation_report"] or {})
        and _same_times(found, row)
    )  # fmt: skip


def _tool_log(row):
    found = ToolCall.objects.get(record_id=f"tool_logs:{row['log_id']}")
    return (
        (found.task.record_id, found.tool_name, found.status) == (
            f"task_history:{row['task_id']}", row["tool_name"], row["status"])
        and (found.tool_input, found.tool_output) == (row["tool_args"], row["tool_result"])
        and (found.execution_time, found.error_message) == (row["execution_time"], row["error_message"] or "")
        and f"{found.timestamp:%Y-%m-%d %H:%M:%S}" == row["created_at"]
    )  # fmt: skip


def _user(row):
    found = UserConfig.objects.get(user_id=row["user_id"])
    keys = {key.provider: key.reveal() for key in found.provider_keys.all()}
    return (found.preferences, keys, found.brought_in) == (
        row["preferences"], row["api_keys"], {"usage_stats": row["usage_stats"]},
    ) and _same_times(found, row)  # fmt: skip


def _source(row):
    found = KnowledgeSource.objects.get(source_name=row["source_name"])
    return (found.source_path, found.source_type, found.metadata, found.status) == (
        row["source_path"], row["source_type"], row["metadata"], row["status"],
    ) and _same_times(found, row)  # fmt: skip


_COME_BACK = {
    "task_history": _task, "subtasks": _subtask, "tool_logs": _tool_log, "user_config": _user,
    "knowledge_sources": _source,
}  # fmt: skip


@with_real_stores
def test_the_backup_of_the_clean_store_multiplies_nothing(bring_in):
    bring_in(REAL / "stores/agent_flow")
    report = bring_in(REAL / "stores/agent_flow/backups")
    assert (new(report), unaccepted(report)) == ({}, {})
    assert report.kinds["tool_call"].same == 429


@with_real_stores
@pytest.mark.parametrize("place", ["stores/agent_flow", "dirty/agent_flow"])
def test_a_second_run_changes_nothing(bring_in, place):
    first, second = bring_in(REAL / place), bring_in(REAL / place)
    assert (first.status, second.status, new(second)) == ("completed", "completed", {})
    assert {kind: told.read for kind, told in second.kinds.items()} == {
        kind: told.read for kind, told in first.kinds.items()
    }


@with_real_stores
def test_the_dirty_store_comes_in_as_its_manifest_says(bring_in):
    root = REAL / "dirty/agent_flow"
    cases = {case["case"]: case for case in json.loads((root / "manifest.json").read_text("utf-8"))["cases"]}
    before = _contents(root)
    first = bring_in(root)
    assert _contents(root) == before
    tasks = Task.objects.exclude(record_id__in=_placeholders())
    assert (tasks.count(), Subtask.objects.count(), ToolCall.objects.count()) == (
        cases["task_values"]["good"], cases["subtasks"]["good"], cases["tool_logs"]["good"],
    )  # fmt: skip
    findings = ImportFinding.objects.filter(run=first.run_id)
    odd = set(findings.filter(table="task_history").values_list("key", flat=True))
    assert odd == {"2", "3", "4", "5", "6", "8"}
    assert findings.filter(table="subtasks", code="orphan").count() == cases["subtasks"]["orphans"]
    assert findings.filter(table="tool_logs", code="orphan").count() == cases["tool_logs"]["orphans"]
    assert sum(ToolCall.objects.exclude(execution_time=None).values_list("execution_time", flat=True)) == 0.1
    assert UserConfig.objects.count() == cases["api_keys"]["good"]
    assert KnowledgeSource.objects.count() == cases["knowledge_sources"]["good"]
    sealed = SystemConfig.objects.filter(section="tool_calls").count()
    assert first.kinds["config"].new - sealed == cases["system_config"]["good"]
    rejected = set(findings.filter(level="rejected").values_list("path", flat=True))
    assert rejected == {"truncated/agent_flow.db", "empty/agent_flow.db"}
    assert Task.objects.get(record_id="task_history:4").metadata["subtasks"] == [{"description": "only in JSON"}]
    assert Subtask.objects.filter(actual_output="x" * 20000).count() == 1
    assert Task.objects.get(record_id="task_history:1").user_input == "你好 <script>alert(1)</script>"


def _placeholders():
    return [row.record_id for row in Task.objects.all() if (row.metadata or {}).get("placeholder")]


def _contents(root):
    return {str(path): path.read_bytes() for path in Path(root).rglob("*") if path.is_file()}


@with_real_stores
def test_the_backups_of_the_dirty_store_are_read_beside_their_cards(bring_in):
    root = REAL / "dirty/agent_flow/backups"
    run = bring_in(root).run_id
    told = dict(ImportFinding.objects.filter(run=run, table="").values_list("code", "path"))
    assert told == {
        "backup_without_database": "b2", "backup_name": "b2", "db_path": "b1", "vector_store_missing": "b1",
        "backup_without_card": "b3",
    }  # fmt: skip
    assert Task.objects.exclude(record_id__in=_placeholders()).count() == 8


@with_real_stores
def test_no_secret_of_either_store_can_be_found_in_clear(bring_in, caplog, tmp_path):
    words = set()
    for place in ("dirty/agent_flow", "stores/agent_flow"):
        root = REAL / place
        bring_in(root)
        words |= set(_words(root / "agent_flow.db"))
    assert len(words) == 18 + 6 + 2
    told = [str(list(model.objects.values())) for model in apps.get_models() if model.objects.exists()]
    assert not [word for word in words if any(word in text for text in (*told, caplog.text))]
    kept = {key.user_config.user_id: key.reveal() for key in ProviderKey.objects.all()}
    assert kept["as_text"].startswith("sk-FAKE")
    assert json.loads(ProviderKey.objects.get(provider="list").reveal())[0].startswith("sk-FAKE")
    assert ProviderKey.objects.get(provider="preferences/smtp_password").reveal() in words
    (sealed,) = SystemConfig.objects.filter(section="tool_calls")
    assert set(sealed.unseal().values()) <= words


def _words(path):
    data = path.read_bytes()
    at = -1
    while (at := data.find(b"sk-FAKE", at + 1)) >= 0:
        yield data[at : at + len("sk-FAKE") + 40].decode()


@with_real_stores
def test_five_stores_of_five_systems_live_in_one_project(bring_in):
    for name, place in WORLD.items():
        report = bring_in(REAL / place)
        assert (report.status, name, unaccepted(report)) == ("completed", name, {})
    assert Task.objects.count() == 120
    assert new(bring_in(REAL / WORLD["agent_flow"])) == {}


class Stopped(Exception):
    """What the test throws into an import."""


def test_an_import_that_was_stopped_goes_on_where_it_stood(tmp_path, bring_in, caller, now, monkeypatch):
    rows = {**ROWS, "knowledge_sources": [source(1), source(2), source(3)]}
    write_database(tmp_path / "agent_flow.db", rows)
    monkeypatch.setattr(chunks, "CHUNK_ENTRIES", 2)
    left = iter(range(3))

    def tell(_standing):
        if next(left, None) is None:
            raise Stopped

    with pytest.raises(Stopped):
        bring_in(tmp_path, progress=tell)
    assert not Task.objects.exists()
    report = import_resume(path=tmp_path, project_id=caller.project_id, now=now, caller=caller)
    fresh = make_project()
    clean = store_import(path=tmp_path, project_id=fresh.pk, now=now, caller=caller)
    assert report.counts_told() == clean.counts_told()
    assert [rows_of(model, caller.project_id) for model in BROUGHT] == [rows_of(model, fresh.pk) for model in BROUGHT]


def test_a_folder_that_is_copied_elsewhere_is_the_same_store(tmp_path, bring_in):
    write_database(tmp_path / "one" / "agent_flow.db")
    bring_in(tmp_path / "one")
    shutil.copytree(tmp_path / "one", tmp_path / "two")
    report = bring_in(tmp_path / "two")
    assert (new(report), unaccepted(report)) == ({}, {})
