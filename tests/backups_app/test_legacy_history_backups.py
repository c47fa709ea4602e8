"""Backups that the system of document 000 made: one or several, the newest counts, and nothing of the older is lost."""

import json
import shutil
from collections import Counter
from datetime import UTC

import pytest

from backups_app.legacy.formats import FORMATS, detect
from backups_app.legacy.types import LegacyConfig, LegacyRecord, LegacySession, Limits, Reading
from backups_app.models import ImportFinding
from history_app.models import Message
from sessions_app.models import Session
from tests.backups_app.real_stores import REAL, with_real_stores
from tests.backups_app.reports import new
from tests.samples.history_store import back_up, message, write, write_database, write_history, write_session

ERROR = (None, "s1", "E", "broke", "", "error", "2026-10-01T08:00:05")
SETTING = ("k", '"v"', "text", "2026-10-01T08:00:00")


class Read:
    """Everything that a path yields, and what it reports."""

    def __init__(self, path):
        self.findings = []
        self.store = FORMATS["history_backups"].open(path, Reading(self.findings.append, UTC, Limits()))
        self.items = list(self.store.items())
        self.sessions = {item.session_id: item for item in self.items if isinstance(item, LegacySession)}
        self.records = [item.record_id for item in self.items if isinstance(item, LegacyRecord)]

    def told(self):
        return [(finding.code, finding.place.path) for finding in self.findings]


@pytest.fixture
def store(tmp_path):
    """A live store; `tmp_path / "backups"` is for its backups."""
    root = tmp_path / "data"
    write_session(root, "s1")
    write_history(root, "s1", [message("s1", 1)])
    write_database(root / "sessions/metadata.db", {"errors": [ERROR], "configurations": [SETTING]})
    return root


def two_backups(store, above):
    write_session(store, "gone")
    write_history(store, "gone", [message("gone", 1)])
    back_up(store, above, "b", "2026-10-01T10:00:00.5")
    (store / "sessions/gone.json").unlink()
    shutil.rmtree(store / "history")
    write_session(store, "s1", status="completed")
    write_history(store, "s1", [message("s1", 1), message("s1", 2)])
    back_up(store, above, "a", "2026-10-02T10:00:00.5")


def test_one_backup_alone_is_read_and_its_database_once(tmp_path, store):
    folder = back_up(store, tmp_path / "backups", "b", "2026-10-01T10:00:00")
    found = Read(folder)
    assert (detect(folder), detect(tmp_path / "backups")) == ("history_backups", "history_backups")
    assert (list(found.sessions), found.told()) == (["s1"], [("same_file", "sessions/metadata.db")])
    assert Counter(found.records) == Counter(set(found.records))
    assert len([item for item in found.items if isinstance(item, LegacyConfig)]) == 1
    assert found.store.bytes_read == found.store.bytes > 0


def test_of_several_backups_the_newest_counts_and_what_only_an_older_one_has_comes_too(tmp_path, store):
    two_backups(store, tmp_path / "backups")
    found = Read(tmp_path / "backups")
    assert {name: (item.status, str(item.place)) for name, item in found.sessions.items()} == {
        "s1": ("completed", "a/sessions/s1.json"), "gone": ("active", "b/sessions/gone.json"),
    }  # fmt: skip
    assert Counter(found.records) == {"message_1": 3, "message_2": 1} | {
        name: 2 for name in found.records if not name.startswith("message")
    }
    assert found.told() == [
        ("same_file", "a/sessions/metadata.db"), ("same_file", "b/sessions/metadata.db"), ("older_version", "b/"),
    ]  # fmt: skip


def test_a_backup_that_was_cut_short_is_read_last_and_told(tmp_path, store):
    back_up(store, tmp_path / "backups", "backup_20261003_030000", None)
    write(tmp_path / "backups/torn", "metadata.json", "{")
    write_session(tmp_path / "backups/torn", "s2")
    two_backups(store, tmp_path / "backups")
    write(tmp_path / "backups", "notes.txt", "x")
    (tmp_path / "backups" / "link").symlink_to(store)
    found = Read(tmp_path / "backups")
    # Its name still says when it was begun: it is the newest of all.
    assert str(found.sessions["s1"].place) == "backup_20261003_030000/sessions/s1.json"
    assert str(found.sessions["s2"].place) == "torn/sessions/s2.json"
    assert [told for told in found.told() if told[0] in ("unfinished_backup", "stray_file")] == [
        ("stray_file", "link"), ("stray_file", "notes.txt"), ("unfinished_backup", "backup_20261003_030000/"),
        ("unfinished_backup", "torn/"),
    ]  # fmt: skip


def test_what_is_no_backup_is_left_to_the_other_formats(tmp_path, store):
    back_up(store, store / "backups", "b", "2026-10-01T10:00:00")
    assert detect(store) == "history_store"
    other = write(tmp_path / "other/b", "metadata.json", json.dumps({"backup_name": "b", "created_at": "x"})).parent
    assert (detect(other), detect(other.parent)) == (None, None)
    back_up(store, tmp_path / "old/backups", "b", "2026-10-01T10:00:00")
    assert detect(tmp_path / "old") == "history_backups"


def test_backups_come_in_once_and_add_nothing_to_their_store(tmp_path, store, bring_in):
    two_backups(store, tmp_path / "backups")
    first, second = bring_in(tmp_path / "backups"), bring_in(tmp_path / "backups")
    assert (new(first)["session"], new(first)["message"], first.status) == (2, 3, "completed")
    assert (second.status, new(second)) == ("completed", {})
    assert Session.objects.get(session_id="s1").status == "completed"
    assert new(bring_in(store)) == {}
    assert not ImportFinding.objects.filter(level__in=["conflict", "rejected"]).exists()


@with_real_stores
def test_a_backup_of_the_real_store_is_what_the_store_is(tmp_path, bring_in):
    real, live = REAL / "stores/history_store", tmp_path / "live"
    for room in ("sessions", "history"):
        shutil.copytree(real / room, live / room)
    shutil.copy2(real / "data/sessions/metadata.db", live / "sessions/metadata.db")
    back_up(live, tmp_path / "backups", "backup_20260101_030000", "2026-01-01T03:00:00")
    counts = json.loads((real / "expected.json").read_text(encoding="utf-8"))["counts"]
    report = bring_in(tmp_path / "backups")
    assert (Session.objects.count(), Message.objects.count()) == (counts["sessions"], counts["history_message"])
    assert {kind: counts.read for kind, counts in report.kinds.items() if counts.conflicting + counts.rejected} == {}
    again = new(bring_in(real))
    # The settings, and the secrets sealed in them, are in no backup.
    assert set(again) <= {"config", "secret", "workflow"}
