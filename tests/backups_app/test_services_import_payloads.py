"""The import of session payloads: once, sealed, and as the real stores beside the repository expect it."""

import json
from collections import Counter
from pathlib import Path

from django.db.models import Sum

from backups_app.models import ImportFinding
from history_app.models import ErrorRecord, LLMCall, Message, TokenUsage, ToolCall
from sessions_app.models import Session, SessionState, SystemConfig
from tests.backups_app.real_stores import REAL, with_real_stores
from tests.backups_app.reports import new


def test_a_payload_comes_in_once_and_its_secret_is_sealed(tmp_path, bring_in):
    metadata = {"session_id": "s1", "status": "active", "created_at": "2026-10-01T08:00:00Z"}
    state = {"messages": [{"role": "user", "content": "hello"}], "current_step": "end"}
    settings = {"api_key": "sk-FAKE0123456789abcdef", "title": "Refund"}
    told = {"metadata": metadata, "settings": settings, "workflow_state": state, "thread_configs": {}}
    (tmp_path / "s1.json").write_text(json.dumps(told), encoding="utf-8")
    first, second = bring_in(tmp_path), bring_in(tmp_path)
    assert new(first) == {"session": 1, "state": 1, "message": 1, "config": 1, "secret": 1}
    assert (first.status, second.status, new(second)) == ("completed", "completed", {})
    session = Session.objects.get(session_id="s1")
    assert (session.title, session.settings["api_key"]) == ("Refund", "********")
    assert SystemConfig.objects.get(key="sessions.s1").unseal() == {"/settings/api_key": "sk-FAKE0123456789abcdef"}
    stored = list(Session.objects.values()) + list(SystemConfig.objects.values()) + list(ImportFinding.objects.values())
    assert "FAKE" not in str(stored)


@with_real_stores
def test_the_clean_store_is_in_the_ledger_as_expected(bring_in):
    root = REAL / "stores/session_payloads"
    expected = json.loads((root / "expected.json").read_text(encoding="utf-8"))
    report = bring_in(root)
    assert (report.status, {kind.conflicting + kind.rejected for kind in report.kinds.values()}) == ("completed", {0})
    models = {
        "sessions": Session, "messages": Message, "tool_calls": ToolCall, "llm_calls": LLMCall,
        "token_usage_rows": TokenUsage, "errors": ErrorRecord,
    }  # fmt: skip
    assert {name: model.objects.count() for name, model in models.items()} == {
        name: expected["counts"][name] for name in models
    }
    sums = expected["token_usage_sum"]
    assert TokenUsage.objects.aggregate(**{name: Sum(name) for name in sums}) == sums
    assert len(set(Session.objects.exclude(user_id="").values_list("user_id"))) == expected["counts"]["users"]
    free = {json.loads(path.read_bytes())["session_id"] for path in (root / "legacy_free").glob("*.json")}
    words = Counter(
        "(none)" if row.session_id in free else row.metadata.get("status_as_found", row.status)
        for row in Session.objects.all()
    )
    assert words == expected["sessions_by_status"]


@with_real_stores
def test_what_the_spot_checks_say_comes_back(bring_in):
    root = REAL / "stores/session_payloads"
    checks = json.loads((root / "expected.json").read_text(encoding="utf-8"))["spot_checks"]
    bring_in(root)
    states = {state.session.session_id: state for state in SessionState.objects.select_related("session")}
    for check in checks:
        told = check["json"].get("data", check["json"])
        state = states[Path(check["file"]).stem]
        happened = told.get("workflow_state") or told.get("state") or told
        for key in ("messages", "tool_calls", "llm_calls"):
            assert state.data.get(key) == happened.get(key)
        contents = list(
            Message.objects.filter(session=state.session).order_by("sequence").values_list("content", flat=True)
        )
        assert contents == [message["content"] for message in happened["messages"]]
        assert state.session.settings == told.get("settings", {})
        assert state.session.thread_configs == told.get("thread_configs", {})
    assert len(checks) == 12


@with_real_stores
def test_the_dirty_store_comes_in_as_its_manifest_says(bring_in):
    root = REAL / "dirty/session_payloads"
    first, second = bring_in(root), bring_in(root)
    assert (first.status, second.status, new(second)) == ("completed", "completed", {})
    # 1 clobbered, 1 of three ids, 1 of wrong types, 1 of printed times, 2 of a batch, 1 twice, 3 old, nan, secret
    assert Session.objects.count() == 1 + 1 + 1 + 1 + 2 + 1 + 3 + 2
    run = ImportFinding.objects.filter(run=first.run_id)
    assert set(run.filter(level="rejected").values_list("path", "key")) == {
        ("batch_key_differs.json", "null"), ("batch_key_differs.json", "text"), ("batch_key_differs.json", "empty"),
        ("cut.json", ""), ("gbk.json", ""), ("empty.json", ""),
    }  # fmt: skip
    assert set(run.filter(level="conflict").values_list("path", flat=True)) == {
        "batch_key_differs.json", "id_differs.json", "dup_bare.json",
    }  # fmt: skip
    assert run.filter(level="skipped", code="other_type", path="not_a_session.json").count() == 1
    twice = json.loads((root / "dup_wrapped.json").read_bytes())
    assert Session.objects.get(session_id=twice["id"]).status == "failed"
    clobbered = json.loads((root / "clobbered.json").read_bytes())
    assert Session.objects.get(session_id=clobbered["id"]).status == "completed"


@with_real_stores
def test_no_secret_of_the_dirty_store_can_be_found_in_clear(bring_in):
    root = REAL / "dirty/session_payloads"
    bring_in(root)
    settings = json.loads((root / "secret.json").read_bytes())["settings"]
    secrets = [settings["api_key"], settings["llm"]["headers"]["Authorization"].removeprefix("Bearer ")]
    told = [list(model.objects.values()) for model in (Session, SessionState, SystemConfig, ImportFinding)]
    assert all(secret not in str(told) for secret in secrets)
    sealed = SystemConfig.objects.get(section="sessions").unseal()
    assert [any(secret in value for value in sealed.values()) for secret in secrets] == [True, True]
