"""The parser against the real stores beside the repository, where they are: what they expect comes out exactly."""

import json
import math
from collections import Counter, defaultdict
from decimal import Decimal
from pathlib import Path

import pytest

from backups_app.legacy.formats import FORMATS
from backups_app.legacy.types import LegacyConfig, LegacyRecord, LegacySession, LegacyWorkflow, Level, Reading
from tests.backups_app.real_stores import REAL, with_real_stores

pytestmark = with_real_stores


class Parsed:
    """All items and findings of a real store."""

    def __init__(self, name):
        self.root = REAL / name
        self.findings = []
        self.items = list(FORMATS["history_store"].open(self.root, Reading(self.findings.append)).items())
        self.records = [item for item in self.items if isinstance(item, LegacyRecord)]
        self.by_path = defaultdict(list)
        for record in self.records:
            self.by_path[record.place.path].append(record)

    def about(self, path, *levels):
        return [f for f in self.findings if f.place.path == path and (not levels or f.level in levels)]

    def sessions(self):
        return {item.session_id: item for item in self.items if isinstance(item, LegacySession)}


@pytest.fixture(scope="module")
def clean():
    return Parsed("stores/history_store")


@pytest.fixture(scope="module")
def dirty():
    return Parsed("dirty/history_store")


@pytest.fixture(scope="module")
def cases(dirty):
    manifest = json.loads((dirty.root / "manifest.json").read_text(encoding="utf-8"))
    return {case["case"]: case for case in manifest["cases"]}


def test_the_clean_store_comes_out_as_expected(clean):
    expected = json.loads((clean.root / "expected.json").read_text(encoding="utf-8"))
    counts = expected["counts"]
    kinds = Counter(record.kind for record in clean.records if record.place.table is None)
    assert {f"history_{kind}": n for kind, n in kinds.items()} == {
        k: v for k, v in counts.items() if k in {f"history_{x}" for x in kinds}
    }
    rows = Counter(record.place.table for record in clean.records if record.place.table)
    assert rows == {"statistics": counts["db_statistics"], "errors": counts["db_errors"]}
    assert sum(record.repeated for record in clean.records) == counts["db_errors"]
    assert len(clean.sessions()) == counts["sessions"]
    configs = [item for item in clean.items if isinstance(item, LegacyConfig)]
    assert (
        len(configs)
        == sum(counts["config_files"].values()) - counts["config_files"]["workflows"] + counts["db_configurations"]
    )
    assert sum(isinstance(item, LegacyWorkflow) for item in clean.items) == counts["db_workflows"]
    assert [f.code for f in clean.findings] == ["stray_file", "index"]


def test_the_sums_of_the_clean_store_are_exact(clean):
    expected = json.loads((clean.root / "expected.json").read_text(encoding="utf-8"))
    usage = [record.fields for record in clean.records if record.kind == "token_usage"]
    sums = {key: sum(fields[key] or 0 for fields in usage) for key in expected["token_usage_sum"]}
    assert sums == expected["token_usage_sum"]
    costs = [record.fields for record in clean.records if record.kind == "cost"]
    assert sum((fields["total_cost"] for fields in costs), Decimal(0)) == Decimal(expected["cost_sum"])


def test_every_llm_response_of_the_clean_store_has_its_request(clean):
    asked = {(r.session_id, r.fields["request_id"]) for r in clean.records if r.kind == "llm_request"}
    answered = [(r.session_id, r.fields["request_id"]) for r in clean.records if r.kind == "llm_response"]
    assert asked == set(answered)
    assert len(asked) == len(answered)


def test_records_keep_what_the_spot_checks_say(clean):
    expected = json.loads((clean.root / "expected.json").read_text(encoding="utf-8"))
    found = {(record.place.path, record.place.line): record for record in clean.records}
    for spot in expected["spot_checks"]:
        record, raw = found[spot["file"], spot["line"]], spot["record"]
        assert (record.record_id, record.session_id, record.kind) == (
            raw["record_id"],
            raw["session_id"],
            raw["record_type"],
        )
        kept = {"role": raw.get("message_type")} if record.kind == "message" else {}
        kept |= {
            key: raw[key] for key in ("content", "tool_input", "tool_output", "model", "total_tokens") if key in raw
        }
        assert {key: record.fields[key] for key in kept} == kept


def test_every_case_keeps_its_good_records_and_names_its_bad_lines(dirty, cases):
    checked = 0
    for case in cases.values():
        history = [path for path in case["paths"] if path.endswith(".jsonl")]
        if not history or case.get("good") is None:
            continue
        ids = {(record.session_id, record.record_id) for path in history for record in dirty.by_path[path]}
        # Both records of a line that holds two are recovered, as the manifest allows.
        recovered = 2 if case["case"] == "two_objects_on_one_line" else 0
        assert len(ids) == case["good"] + recovered, case
        told = {f.place.line for path in history for f in dirty.about(path, Level.REJECTED, Level.REPAIRED)}
        assert {bad["line"] for bad in case.get("bad", [])} <= told, case
        checked += 1
    assert checked > 25


def test_every_time_form_is_as_the_manifest_says(dirty, cases):
    (path,) = cases["timestamps"]["paths"]
    by_line = {record.place.line: record for record in dirty.by_path[path]}
    for row in cases["timestamps"]["table"]:
        record = by_line[row["line"]]
        as_found = "timestamp_as_found" in record.fields["metadata"]
        if row["expect"].startswith(("bad", "kept")) or (as_found and "bad" in row["expect"]):
            assert as_found, row
        elif not row["expect"].startswith("naive"):
            assert record.timestamp.isoformat() == row["expect"].split(" ")[0], row


def test_sums_of_odd_numbers_stay_finite_and_exact(dirty, cases):
    (path,) = cases["nan_and_infinity"]["paths"]
    extra = [r.fields["total_cost"] for r in dirty.by_path[path] if r.record_id.startswith("f")]
    assert sum((amount for amount in extra if amount is not None), Decimal(0)) == Decimal(
        cases["nan_and_infinity"]["finite_extra_cost"]
    )
    assert len([f for f in dirty.about(path, Level.REPAIRED) if f.code in ("number_not_finite", "cost")]) == 4
    (path,) = cases["token_values"]["paths"]
    totals = [r.fields["total_tokens"] for r in dirty.by_path[path]]
    assert [total for total in totals if total is not None] == [100, 100, 0]
    assert all(total is None or math.isfinite(total) for total in totals)


def test_numbers_in_documents_are_the_same_numbers(dirty, cases):
    (path,) = cases["number_precision"]["paths"]
    (record,) = dirty.by_path[path]
    assert record.fields["tool_input"] == {
        "id": 12345678901234567890123, "x": 0.30000000000000004, "y": 1.0, "z": -0.0, "ключ": "值", "": "empty key",
    }  # fmt: skip


def test_sessions_are_told_apart_and_odd_ones_are_reported(dirty, cases):
    sessions = dirty.sessions()
    assert {"../../../etc/evil", "a/b", "C:\\x", ".."} <= sessions.keys()
    assert {f"odd-id-{n}" for n in range(9)}.isdisjoint(sessions)
    rejected = {f.place.path for f in dirty.findings if f.level == Level.REJECTED and f.kind == "session"}
    assert {f"sessions/odd-id-{n}.json" for n in (2, 3, 4, 7, 8)} <= rejected
    assert {f"sessions/shape-{n}.json" for n in (0, 1, 2)} <= rejected
    assert {"shape-3", "shape-4", "shape-5"} <= sessions.keys()
    lower, upper = (Path(path).stem for path in cases["ids_differ_in_case"]["paths"])
    assert {lower, upper} <= sessions.keys()
    meta = Path(cases["meta_file_variant"]["paths"][0]).stem
    assert meta.removesuffix("_meta") in sessions
    assert meta not in sessions
    kept = [sessions[f"status-{n}"].metadata.get("status_as_found", sessions[f"status-{n}"].status) for n in range(8)]
    assert kept == cases["status_values"]["values"]


def test_configuration_files_are_taken_or_reported(dirty):
    taken = {item.place.path.rpartition("/")[2] for item in dirty.items if isinstance(item, LegacyConfig)}
    assert taken == {
        "bom.yaml",
        "duplicate_keys.yaml",
        "env.yaml",
        "list_root.yaml",
        "secret.yaml",
        "yaml11_booleans.yaml",
    }
    reported = {f.place.path.rpartition("/")[2] for f in dirty.findings if f.kind == "config"}
    refused = {"alias_bomb.yaml", "recursive_alias.yaml", "unsafe_tag.yaml", "unsafe_tag_nested.yaml", "tabs.yaml"}
    assert refused | {"broken.yaml", "gbk.yaml", "two_documents.yaml", "empty.yaml", "list_root.yaml"} <= reported
    text = (dirty.root / "configs/llms/secret.yaml").read_text(encoding="utf-8")
    assert all(word not in repr(dirty.items) + repr(dirty.findings) for word in text.split() if "FAKE" in word)


def test_databases_are_read_or_reported(dirty):
    rejected = {f.place.path for f in dirty.findings if f.level == Level.REJECTED}
    assert {f"databases/{name}.db" for name in ("truncated", "corrupt_page", "not_a_database", "empty")} <= rejected
    sessions = dirty.sessions().values()
    assert sum(s.place.path == "databases/wal.db" for s in sessions) == 25
    assert sum(s.place.path == "databases/older_schema.db" for s in sessions) == 2
    contradicted = [s for s in sessions if s.session_id.startswith("db-contradicts")]
    assert sorted(s.status for s in contradicted) == ["active", "active", "failed"]
    assert len(dirty.about("databases/contradicts.db", Level.CONFLICT)) == 3
    orphans = dirty.by_path["databases/contradicts.db"]
    assert Counter((r.kind, r.session_id) for r in orphans) == {
        ("metric", "no-such"): 1,
        ("metric", "orphans"): 1,
        ("error", "no-such"): 1,
    }


def test_stray_files_and_the_index_are_named(dirty):
    skipped = {f.place.path for f in dirty.findings if f.level == Level.SKIPPED}
    stray = {".DS_Store", "notes.txt", "x.jsonl.tmp", ".x.jsonl.swp", "x.jsonl~", "Thumbs.db"}
    assert {f"history/202411/{name}" for name in stray} | {"sessions/index.json"} <= skipped
    packed = [r for path, found in dirty.by_path.items() if path.endswith(".gz") for r in found]
    assert len(packed) == 62
