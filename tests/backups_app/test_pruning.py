"""Old backups make room for new ones: months of it, and each rule by itself (C9)."""

import json
import random
from datetime import timedelta
from pathlib import Path

import pytest

from backups_app.models import Backup, Restore
from backups_app.services.backups.catalogue import backups_scan
from backups_app.services.backups.folders import archive_files, archive_names, archive_remove
from backups_app.services.backups.removing import (
    backup_delete,
    backup_protect,
    backups_prune,
    removals_finish,
    stale_backups_fail,
)
from backups_app.services.backups.runs import backup_begin, backup_fail, restore_begin, restore_end
from config.shared.callers import SYSTEM
from config.shared.errors import Conflict, InvalidInput
from sessions_app.models import AuditEntry, Event
from tests.backups_app.archives import SIGNING_KEY
from tests.factories import NOW

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)
# (days, backups to keep): of half a year, and as the plan has it.
SHORT, LONG = (160, 10), (400, 30)


@pytest.fixture(autouse=True)
def backup_dir(settings, tmp_path, project):
    settings.BACKUP_DIR = tmp_path / "backups"
    settings.BACKUP_SIGNING_KEY = SIGNING_KEY
    return settings.BACKUP_DIR


def _folder(name: str) -> None:
    """Put a small folder where the archive of this name would be."""
    from django.conf import settings

    folder = Path(settings.BACKUP_DIR) / name
    (folder / "tables" / "session").mkdir(parents=True)
    (folder / "tables" / "session" / "001.jsonl.zst").write_bytes(b"rows of " + name.encode())
    (folder / "manifest.json").write_text(json.dumps({"name": name}))


def _made(now, *, name=None, status="verified", **fields) -> Backup:
    """Make a backup of this moment as a finished run leaves it, without reading the store."""
    row = backup_begin(name=name, trigger="schedule", requested_by="", now=now)
    _folder(row.name)
    ended = {"finished_at": now, "verified_at": now, "is_running": None, "lease_until": None, "status": status}
    Backup.objects.filter(pk=row.pk).update(**ended, **fields)
    row.refresh_from_db()
    return row


def _is_whole(row: Backup) -> bool:
    return [path.name for path in archive_files(row.location)] == ["manifest.json", "001.jsonl.zst"]


def _naive_prune(*, keep: int, now, **_) -> list[str]:
    """Delete the oldest until `keep` are left: what must not be done, and what the checks below must find."""
    rows = list(Backup.objects.filter(is_running=None).newest_first())[keep:]
    for row in rows:
        archive_remove(row.name)
        row.delete()
    return [row.name for row in rows]


def _live(prune, *, days: int, keep: int, seed: int) -> list[str]:
    """Live through so many days of backups, failures, deaths, damage and restores; return every promise broken."""
    chance, broken, protected, good = random.Random(seed), [], set(), []
    for day in range(days):
        now = NOW + day * DAY
        stale_backups_fail(now=now)
        # A disk that stays full for longer than `keep` days, once.
        outage = days * 3 // 8 <= day < days // 2
        fate = "fails" if outage else chance.choices(["good", "fails", "dies", "rots"], [70, 15, 10, 5])[0]
        if fate == "good":
            good.append(_made(now).name)
        elif fate == "rots" and good:
            Backup.objects.filter(name=good.pop()).update(status="damaged")
        else:
            row = backup_begin(name=None, trigger="schedule", requested_by="", now=now)
            if fate == "fails":
                backup_fail(backup=row, cause="No space left on device", now=now)
        if chance.random() < 0.02 and good:
            name = chance.choice(good)
            protected |= set(Backup.objects.filter(name=name).values_list("name", flat=True))
            Backup.objects.filter(name=name).update(protected=True)
        broken += _pruned(prune, keep=keep, now=now, protected=protected, restoring=chance.random() < 0.05)
    return broken


def _pruned(prune, *, keep: int, now, protected: set[str], restoring: bool) -> list[str]:
    """Prune and return the promises that this breaks."""
    restore = None
    if restoring and not Backup.objects.filter(is_running=True).exists():
        restore = restore_begin(backup_name="x", target="this store", replace=False, requested_by="", now=now)
    before = set(archive_names())
    newest = Backup.objects.verified().newest_first().first()
    try:
        prune(keep=keep, now=now)
    except Conflict:
        assert restore is not None
    broken = []
    if restore is not None:
        broken += ["removed while a restore was at work"] * (set(archive_names()) != before)
        restore_end(restore=restore, status="completed", now=now)
    elif Backup.objects.filter(status__in=["verified", "damaged"]).count() > max(keep, len(protected) + 1):
        broken.append("too many are kept")
    if newest is not None and not Backup.objects.filter(pk=newest.pk).exists():
        broken.append("the newest verified one is gone")
    kept = set(Backup.objects.values_list("name", flat=True))
    broken += ["a protected one is gone"] * bool(protected - kept)
    broken += ["a kept one is not whole"] * (not all(_is_whole(row) for row in Backup.objects.verified()))
    return broken + ["an archive is left without its row"] * bool(set(archive_names()) - kept)


@pytest.mark.parametrize(
    ("days", "keep", "seed"),
    [(*SHORT, 1), *(pytest.param(*LONG, seed, marks=pytest.mark.torture) for seed in range(1, 12))],
)
def test_months_of_failures_break_no_promise(days, keep, seed):
    assert _live(backups_prune, days=days, keep=keep, seed=seed) == []
    assert Backup.objects.verified().count() >= keep // 2
    assert Backup.objects.count() <= keep + 11


def test_deleting_the_oldest_breaks_the_promises():
    days, keep = SHORT
    broken = set(_live(_naive_prune, days=days, keep=keep, seed=1))
    assert broken >= {
        "the newest verified one is gone",
        "a protected one is gone",
        "removed while a restore was at work",
    }


def test_failed_runs_go_first_then_damaged_ones_then_the_oldest():
    rows = [_made(NOW + day * DAY, name=f"day-{day}") for day in range(6)]
    Backup.objects.filter(name="day-3").update(status="damaged")
    failed = backup_begin(name="failed", trigger="api", requested_by="", now=NOW + 2 * DAY)
    backup_fail(backup=failed, cause="no space", now=NOW + 2 * DAY)
    assert backups_prune(keep=6, now=NOW) == ["failed"]
    assert backups_prune(keep=4, now=NOW) == ["day-3", "day-0"]
    assert backups_prune(keep=1, now=NOW) == ["day-1", "day-2", "day-4"]
    assert archive_names() == [rows[5].name]
    assert backups_prune(keep=1, now=NOW) == []


def test_without_a_verified_backup_no_archive_goes():
    for day in range(3):
        _made(NOW + day * DAY, name=f"day-{day}", status="damaged")
    assert backups_prune(keep=1, now=NOW) == []
    assert len(archive_names()) == 3


def test_nothing_goes_when_all_are_to_stay():
    for day in range(3):
        _made(NOW + day * DAY)
    assert backups_prune(keep=0, now=NOW) == []


def test_the_last_ten_failures_stay_until_a_good_one_follows():
    for hour in range(15):
        row = backup_begin(name=f"f{hour}", trigger="schedule", requested_by="", now=NOW + timedelta(hours=hour))
        backup_fail(backup=row, cause="no space", now=NOW + timedelta(hours=hour))
    assert backups_prune(keep=3, now=NOW) == ["f4", "f3", "f2", "f1", "f0"]
    _made(NOW + DAY)
    assert len(backups_prune(keep=3, now=NOW)) == 10


def test_a_backup_goes_with_its_folder_and_the_audit_knows():
    row = _made(NOW, name="mine")
    backup_delete(backup=row, caller=SYSTEM, now=NOW)
    assert archive_names() == []
    entry = AuditEntry.objects.get(action="backup.delete")
    assert entry.changes == {"name": "mine", "status": "verified"}


def test_a_protected_backup_is_not_deleted():
    row = backup_protect(backup=_made(NOW), protected=True, caller=SYSTEM, now=NOW)
    with pytest.raises(Conflict, match="protected"):
        backup_delete(backup=row, caller=SYSTEM, now=NOW)
    assert archive_names() == [row.name]
    backup_protect(backup=row, protected=False, caller=SYSTEM, now=NOW)
    backup_delete(backup=row, caller=SYSTEM, now=NOW)


def test_a_backup_that_is_being_made_is_not_deleted():
    row = backup_begin(name=None, trigger="api", requested_by="", now=NOW)
    with pytest.raises(Conflict, match="being made"):
        backup_delete(backup=row, caller=SYSTEM, now=NOW)


def test_an_interrupted_removal_is_finished_by_the_next(backup_dir):
    row = _made(NOW, name="mine")
    (backup_dir / "mine").rename(backup_dir / ".mine.removing")
    backup_delete(backup=row, caller=SYSTEM, now=NOW)
    assert list(backup_dir.iterdir()) == []


@pytest.mark.parametrize(
    "next_one",
    [
        lambda: backups_scan(now=NOW),
        lambda: backups_prune(keep=5, now=NOW),
        lambda: stale_backups_fail(now=NOW),
    ],
    ids=["scan", "prune", "settle"],
)
def test_a_removal_that_was_interrupted_is_finished_folder_and_row(backup_dir, next_one):
    _made(NOW, name="mine")
    other = _made(NOW, name="other")
    (backup_dir / "mine").rename(backup_dir / ".mine.removing")
    (backup_dir / ".mine.removing" / "tables" / "session" / "001.jsonl.zst").unlink()
    next_one()
    assert [path.name for path in backup_dir.iterdir()] == ["other"]
    assert list(Backup.objects.all()) == [other]
    assert AuditEntry.objects.get(action="backup.delete").changes == {"name": "mine", "status": "verified"}
    next_one()
    assert list(Backup.objects.all()) == [other]


def test_nothing_is_finished_while_a_restore_is_at_work(backup_dir):
    row = _made(NOW, name="mine")
    (backup_dir / "mine").rename(backup_dir / ".mine.removing")
    restore_begin(backup_name="x", target="this store", replace=False, requested_by="", now=NOW)
    assert removals_finish(now=NOW) == []
    assert list(Backup.objects.all()) == [row]


def test_what_was_protected_after_its_removal_failed_is_left_as_it_is(backup_dir):
    row = _made(NOW, name="mine", protected=True)
    (backup_dir / "mine").rename(backup_dir / ".mine.removing")
    stale_backups_fail(now=NOW)
    assert (backup_dir / ".mine.removing" / "manifest.json").exists()
    (backup_dir / ".mine.removing").rename(backup_dir / "mine")
    assert _is_whole(row)


def test_a_link_in_place_of_an_archive_is_taken_away_and_not_followed(backup_dir, tmp_path):
    row = _made(NOW, name="mine")
    (backup_dir / "mine").rename(tmp_path / "elsewhere")
    (backup_dir / "mine").symlink_to(tmp_path / "elsewhere")
    backup_delete(backup=row, caller=SYSTEM, now=NOW)
    assert (tmp_path / "elsewhere" / "manifest.json").exists()
    assert list(backup_dir.iterdir()) == []


@pytest.mark.parametrize("location", ["../elsewhere", "/etc", "a/b", ".hidden", ""])
def test_a_folder_that_is_no_name_is_refused(location):
    with pytest.raises(InvalidInput):
        archive_remove(location)


def test_one_backup_at_a_time_and_none_beside_a_restore():
    row = backup_begin(name="first", trigger="api", requested_by="", now=NOW)
    with pytest.raises(Conflict, match="first is being made"):
        backup_begin(name="second", trigger="api", requested_by="", now=NOW)
    with pytest.raises(Conflict, match="being made"):
        restore_begin(backup_name="x", target="this store", replace=False, requested_by="", now=NOW)
    backup_fail(backup=row, cause="no space", now=NOW)
    with pytest.raises(Conflict, match="named first already"):
        backup_begin(name="first", trigger="api", requested_by="", now=NOW)
    restore_begin(backup_name="x", target="this store", replace=False, requested_by="", now=NOW)
    with pytest.raises(Conflict, match="restore is at work"):
        backup_begin(name="third", trigger="api", requested_by="", now=NOW)
    with pytest.raises(Conflict, match="one at a time"):
        restore_begin(backup_name="y", target="this store", replace=False, requested_by="", now=NOW)


def test_what_a_dead_process_left_is_cleared_and_told(backup_dir):
    row = backup_begin(name="mine", trigger="schedule", requested_by="", now=NOW)
    (backup_dir / ".mine.partial" / "tables").mkdir(parents=True)
    assert stale_backups_fail(now=NOW) == []
    assert (backup_dir / ".mine.partial").exists()
    assert stale_backups_fail(now=NOW + timedelta(hours=1)) == ["mine"]
    row.refresh_from_db()
    assert (row.status, row.failure) == ("failed", "The process that was at work on it disappeared.")
    assert list(backup_dir.iterdir()) == []
    event = Event.objects.get(kind="backup.failed")
    assert (event.subject, event.payload["trigger"]) == ("mine", "schedule")
    assert stale_backups_fail(now=NOW + timedelta(hours=1)) == []
    assert Event.objects.filter(kind="backup.failed").count() == 1


def test_a_dead_restore_is_over_and_stands_in_nobodys_way():
    restore_begin(backup_name="x", target="this store", replace=True, requested_by="", now=NOW)
    stale_backups_fail(now=NOW + timedelta(hours=1))
    assert Restore.objects.get().status == "failed"
    backup_begin(name=None, trigger="api", requested_by="", now=NOW)


def test_a_foreign_folder_that_is_being_written_is_left_alone_for_a_day(backup_dir):
    import os

    folder = backup_dir / ".theirs.partial"
    folder.mkdir(parents=True)
    os.utime(folder, (NOW.timestamp(), NOW.timestamp()))
    stale_backups_fail(now=NOW + timedelta(hours=23))
    assert folder.exists()
    stale_backups_fail(now=NOW + timedelta(hours=25))
    assert not folder.exists()
