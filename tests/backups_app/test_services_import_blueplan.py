"""The import of key-value stores: once, sealed, and as the real stores beside the repository expect it."""

import json
from collections import Counter

import pytest
from django.db.models import Sum

from backups_app.models import ImportFinding
from history_app.models import Message, TokenUsage, ToolCall
from sessions_app.models import ConfigVersion, Session, SystemConfig
from tests.backups_app.real_stores import REAL, with_real_stores
from tests.backups_app.reports import new
from tests.samples.blueplan import KEYS, backup_of, packed, said, write_backup, write_files, write_lines


def expected():
    return json.loads((REAL / "stores/blueplan/expected.json").read_text(encoding="utf-8"))


def test_a_store_comes_in_once_from_whatever_form(tmp_path, bring_in):
    write_files(tmp_path / "files", KEYS)
    write_lines(tmp_path / "lines", KEYS)
    write_backup(tmp_path / "backup", backup_of(packed(KEYS)))
    first = bring_in(tmp_path / "files")
    found = {"session": 1, "message": 3, "tool_call": 1, "token_usage": 1, "config": 1, "secret": 1}
    assert new(first) == found
    for form in ("files", "lines", "backup"):
        again = bring_in(tmp_path / form)
        assert (again.status, new(again)) == ("completed", {})
    assert SystemConfig.objects.get(key="blueplan.llm").unseal() == {"/openai/api_key": "sk-FAKE0123456789abcdef"}


def test_a_session_that_has_expired_meanwhile_stays_what_it_was(tmp_path, bring_in):
    write_files(tmp_path / "then", KEYS)
    bring_in(tmp_path / "then")
    write_files(tmp_path / "now", {"conversation:s1": [*KEYS["conversation:s1"][1:], said(9, "later")]})
    report = bring_in(tmp_path / "now")
    assert (report.kinds["session"].same, new(report)) == (1, {"message": 1})
    assert Session.objects.get(session_id="s1").user_id == "u:1"


def test_a_placeholder_is_filled_when_its_session_turns_up(tmp_path, bring_in):
    write_files(tmp_path / "now", {"conversation:s1": KEYS["conversation:s1"]})
    bring_in(tmp_path / "now")
    assert Session.objects.get(session_id="s1").metadata == {"placeholder": True}
    write_files(tmp_path / "then", KEYS)
    assert new(bring_in(tmp_path / "then"))["session"] == 1
    assert Session.objects.get(session_id="s1").title == "Refund"


@with_real_stores
@pytest.mark.parametrize("form", ["", "redis_dump.ndjson", "dump.rdb", "data/backups/backup_20250301_030000.json"])
def test_the_clean_store_is_in_the_ledger_as_expected(bring_in, form):
    told = expected()
    counts = told["counts"]
    report = bring_in(REAL / "stores/blueplan" / form)
    assert (report.status, {kind.conflicting + kind.rejected for kind in report.kinds.values()}) == ("completed", {0})
    roles = Counter(Message.objects.values_list("role", flat=True))
    assert (Session.objects.count(), roles.total(), roles["tool"], ToolCall.objects.count()) == (
        counts["sessions"], counts["messages"], counts["tool_messages"], counts["tool_messages"],
    )  # fmt: skip
    assert TokenUsage.objects.count() == counts["token_usage_rows"]
    by_model = dict(TokenUsage.objects.values_list("model").annotate(n=Sum("total_tokens")).order_by("model"))
    assert by_model == told["tokens_by_model"]
    assert report.sums.total_tokens == counts["tokens_used_sum"]
    assert len(set(Session.objects.values_list("user_id", flat=True))) == counts["users"]
    assert report.kinds["config"].new == counts["configs"] + counts["config_backups"]
    assert not ImportFinding.objects.filter(level__in=["conflict", "rejected", "repaired"]).exists()


@with_real_stores
def test_what_the_spot_checks_say_comes_back(bring_in):
    bring_in(REAL / "stores/blueplan")
    checks = {check["key"]: check["value"] for check in expected()["spot_checks"]}
    checked = Counter()
    for key, value in checks.items():
        category, _, rest = key.partition(":")
        checked[category] += 1
        if category == "session":
            session = Session.objects.get(session_id=rest)
            assert (session.user_id, session.context, session.status) == (
                value["user_id"], value["data"], value["status"],
            )  # fmt: skip
            assert _naive(session.created_at) == value["created_at"]
            assert _naive(session.updated_at) == value["last_activity"]
        elif category == "conversation":
            messages = Message.objects.filter(session__session_id=rest).order_by("sequence")
            assert [(m.role, m.content, _naive(m.timestamp), m.metadata["message_id"]) for m in messages] == [
                (m["role"], m["content"], m["timestamp"], m["message_id"]) for m in value
            ]
        elif category == "token_usage":
            use = TokenUsage.objects.get(session__session_id=value["session_id"], timestamp=value["timestamp"] + "Z")
            assert (use.user_id, use.model, use.total_tokens) == (
                value["user_id"], value["model"], value["tokens_used"],
            )  # fmt: skip
    assert min(checked[name] for name in ("session", "conversation", "token_usage")) == 2


def _naive(moment):
    return moment.replace(tzinfo=None).isoformat()


@with_real_stores
def test_the_dirty_store_comes_in_as_its_manifest_says_and_twice_changes_nothing(bring_in):
    root = REAL / "dirty/blueplan"
    manifest = json.loads((root / "manifest.json").read_text(encoding="utf-8"))
    cases = {case["case"]: case for case in manifest["cases"]}
    first, second = bring_in(root), bring_in(root)
    assert (first.status, second.status, new(second)) == ("completed", "completed", {})

    def said_in(case):
        key = next(path for path in cases[case]["paths"] if path.startswith("conversation:"))
        return Message.objects.filter(session__session_id=key.partition(":")[2]).order_by("sequence")

    for name in ("expired_session", "orphan_conversation", "message_id_repeats_after_trim"):
        assert said_in(name).count() == cases[name]["good"]
    numbers = [int(text.split(" ")[0].lstrip("#")) for text in said_in("message_id_repeats_after_trim").values_list(
        "content", flat=True)]  # fmt: skip
    assert numbers == list(range(51, 151))
    expired = said_in("expired_session").first().session
    assert (expired.user_id, expired.metadata) == ("u1", {"placeholder": True})
    odd = TokenUsage.objects.filter(session__session_id="s").order_by("timestamp", "id")
    assert (len(odd), sum(use.total_tokens or 0 for use in odd)) == (cases["odd_token_usage"]["good"], 12)
    assert TokenUsage.objects.get(user_id="u:4:x").total_tokens == 10
    assert not Session.objects.filter(session_id__in=["", "UPPER", "1"]).exists()
    findings = ImportFinding.objects.filter(run=first.run_id)
    assert set(findings.filter(code="bad_backup").values_list("path", flat=True)) == {
        f"data/backups/{name}.json" for name in ("beyond_latin1", "crc_broken", "cut_gzip", "no_data", "not_gzip")
    }
    (differing,) = findings.filter(code="sums_differ").values_list("path", flat=True)
    assert differing == f"data/{cases['stats_disagree']['paths'][0].replace(':', '/')}.json"
    rejected = set(findings.filter(level="rejected", path__startswith="data/session").values_list("path", flat=True))
    assert {f"data/session/{name}.json" for name in ("plain", "number", "json_null", "cut")} <= rejected
    assert findings.filter(code="user_sessions", key__in=["u10", "u11"]).count() == 2


@with_real_stores
def test_no_secret_of_either_store_can_be_found_in_clear(bring_in):
    words = set()
    for root in (REAL / "stores/blueplan", REAL / "dirty/blueplan"):
        bring_in(root)
        for path in (root / "data").glob("config*/*.json"):
            words.update(word for word in path.read_text(encoding="utf-8").split('"') if "FAKE" in word)
    told = [list(model.objects.values()) for model in (SystemConfig, ConfigVersion, ImportFinding, Session)]
    assert len(words) == 4
    assert all(word not in str(told) for word in (*words, "root123"))
    sealed = SystemConfig.objects.get(key="blueplan.llm").unseal()
    assert sorted(sealed) == ["/mysql_password", "/openai/api_key", "/openai/nested/0/token"]
