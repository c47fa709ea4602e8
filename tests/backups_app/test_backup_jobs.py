"""Backups as jobs: asked for, run by workers, stopped, tried again where that helps, and scheduled."""

from datetime import timedelta

import pytest
from django.utils import timezone

from backups_app.models import Backup, Restore
from backups_app.services.backups.folders import archive_names
from backups_app.services.backups.runs import backup_begin, restore_begin
from config.generated_secrets import new_backup_signing_key
from config.schedule_sync import schedule_synchronise
from config.shared.callers import Caller
from sessions_app.models import AuditEntry, Event, Job, Session
from sessions_app.services.jobs import job_enqueue, job_retry, job_run
from tests.backups_app.stores import fill_store
from tests.factories import NOW, make_backup, make_session

pytestmark = pytest.mark.django_db(transaction=True)
ADA = Caller("key", "ada", "admin", None, None)


@pytest.fixture(autouse=True)
def backup_dir(store, settings, tmp_path):
    settings.BACKUP_DIR = tmp_path / "backups"
    settings.BACKUP_SIGNING_KEY = new_backup_signing_key()
    return settings.BACKUP_DIR


def _asked(kind: str, now=NOW, **arguments) -> Job:
    return job_enqueue(kind=kind, arguments=arguments, now=now, caller=ADA)


def _run(job: Job, now=NOW) -> Job:
    job_run(job_id=job.pk, clock=lambda: now)
    job.refresh_from_db()
    return job


def test_a_job_makes_a_backup_tells_how_far_it_is_and_has_old_ones_make_room():
    fill_store(repeated=1)
    job = _run(_asked("backup.make", name="mine", trigger="api"))
    backup = Backup.objects.get()
    assert (job.state, job.result) == (
        "succeeded", {"backup": "mine", "rows": backup.row_count, "bytes": backup.size_bytes},
    )  # fmt: skip
    assert (backup.status, backup.trigger, backup.requested_by) == ("verified", "api", "key: ada")
    assert job.progress_done == job.progress_total > 0
    assert list(Job.objects.filter(kind="backup.prune").values_list("state", flat=True)) == ["queued"]


def test_old_ones_make_room(settings):
    settings.MAX_BACKUPS = 2
    for day in range(4):
        _run(_asked("backup.make", name=f"day-{day}"), NOW + timedelta(days=day))
    job = _run(_asked("backup.prune"))
    assert (job.result, archive_names()) == ({"removed": ["day-0", "day-1"]}, ["day-2", "day-3"])


def test_what_was_asked_to_stop_stops_and_leaves_nothing(backup_dir, monkeypatch):
    fill_store(repeated=1)
    job = _asked("backup.make")
    from backups_app.services.backups import create

    usual = create._tables_write

    def stopped(*given):
        Job.objects.filter(pk=job.pk).update(cancel_requested=True)
        return usual(*given)

    monkeypatch.setattr(create, "_tables_write", stopped)
    assert _run(job).state == "cancelled"
    assert (Backup.objects.get().status, Backup.objects.get().failure) == ("failed", "Somebody asked to stop it.")
    assert list(backup_dir.iterdir()) == []


def test_a_full_disk_fails_the_run_and_is_tried_again(settings, tmp_path):
    (tmp_path / "file").write_text("")
    settings.BACKUP_DIR = tmp_path / "file" / "below"
    job = _run(_asked("backup.make", name="mine"))
    assert job.state == "queued"
    assert "Not a directory" in job.error
    assert Event.objects.filter(kind="backup.failed", subject="mine").count() == 1
    settings.BACKUP_DIR = tmp_path / "backups"
    assert _run(job, NOW + timedelta(hours=1)).result["backup"] == "mine-2"
    assert sorted(Backup.objects.values_list("name", "status")) == [("mine", "failed"), ("mine-2", "verified")]


def test_it_waits_for_what_is_at_work():
    restore_begin(backup_name="x", target="this store", replace=False, requested_by="", now=NOW)
    job = _run(_asked("backup.make"))
    assert (job.state, "A restore is at work" in job.error) == ("queued", True)
    # The restore's process has died: nothing renewed its lease.
    assert _run(job, NOW + timedelta(hours=1)).state == "succeeded"


def test_what_a_dead_worker_left_stands_in_nobodys_way():
    backup_begin(name="dead", trigger="schedule", requested_by="", now=NOW)
    assert _run(_asked("backup.make", name="alive"), NOW + timedelta(minutes=5)).state == "succeeded"
    assert dict(Backup.objects.values_list("name", "status")) == {"dead": "failed", "alive": "verified"}


def test_what_died_is_settled_by_the_clock(backup_dir):
    backup_begin(name="dead", trigger="schedule", requested_by="", now=NOW)
    (backup_dir / ".dead.partial").mkdir(parents=True)
    job = _run(_asked("backup.settle"), NOW + timedelta(minutes=5))
    assert (job.result, list(backup_dir.iterdir())) == ({"failed": ["dead"]}, [])


def test_a_taken_name_fails_at_once():
    make_backup(name="mine")
    job = _run(_asked("backup.make", name="mine"))
    assert (job.state, "named mine already" in job.error) == ("failed", True)


def test_a_job_verifies_and_names_the_damage(backup_dir):
    _run(_asked("backup.make", name="mine"))
    assert _run(_asked("backup.verify", name="mine")).result["good"]
    path = next((backup_dir / "mine" / "tables").rglob("*.zst"))
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    result = _run(_asked("backup.verify", name="mine")).result
    assert (result["good"], result["file"]) == (False, str(path.relative_to(backup_dir / "mine")))
    assert Backup.objects.get().status == "damaged"


def test_a_backup_that_is_not_there_is_not_verified():
    job = _run(_asked("backup.verify", name="nothing"))
    assert (job.state, job.error) == ("failed", "There is no backup named nothing.")


def test_a_job_looks_at_a_restore_and_another_one_does_it():
    make_session(title="A parcel is late")
    _run(_asked("backup.make", name="mine"))
    Session.objects.update(title="changed")
    looked = _run(_asked("backup.restore", name="mine", dry_run=True))
    assert (looked.state, looked.result["status"]) == ("succeeded", "dry_run")
    assert Session.objects.get().title == "changed"
    assert "not empty" in _run(_asked("backup.restore", name="mine")).error
    done = _run(_asked("backup.restore", name="mine", replace=True))
    assert (done.state, done.result["status"]) == ("succeeded", "completed")
    restore = Restore.objects.get(pk=done.result["restore"])
    assert (restore.requested_by, restore.row_count) == ("key: ada", done.result["rows"])
    assert Session.objects.get().title == "A parcel is late"
    assert AuditEntry.objects.get(action="restore.create").actor == "ada"


def test_a_restore_is_never_tried_again_by_itself():
    make_session(title="A parcel is late")
    _run(_asked("backup.make", name="mine"))
    job = _asked("backup.restore", name="mine", replace=True)
    # A worker took it and died.
    Job.objects.filter(pk=job.pk).update(state="running", attempts=1, fence=1, due_at=NOW)
    assert _run(job, NOW + timedelta(hours=1)).state == "parked"
    job_retry(job=job, caller=ADA, now=NOW)
    assert (_run(job).state, job.error) == ("failed", "A restore is not tried again; ask for a new one.")
    assert not Restore.objects.exists()


@pytest.mark.parametrize("seconds", [0, 3600])
def test_the_interval_is_a_setting(settings, seconds):
    from django_celery_beat.models import PeriodicTask

    settings.BACKUP_INTERVAL = seconds
    schedule_synchronise()
    rows = PeriodicTask.objects.filter(task="backup.make")
    assert list(rows.values_list("interval__every", flat=True)) == ([seconds] if seconds else [])


def test_the_health_page_shows_how_old_the_newest_good_one_is(client):
    def shown():
        check = client.get("/readyz").json()["checks"]["backups"]
        return check["status"], check["state"]

    now = timezone.now()
    assert shown() == ("ok", "none")
    good = make_backup(started_at=now - timedelta(hours=3), finished_at=now)
    assert shown() == ("ok", "ok")
    assert client.get("/readyz").json()["checks"]["backups"]["detail"] == "The newest verified backup is 3.0 h old."
    Backup.objects.filter(pk=good.pk).update(started_at=now - timedelta(hours=49))
    assert shown() == ("degraded", "late")
    failed = backup_begin(name=None, trigger="schedule", requested_by="", now=now)
    assert shown() == ("degraded", "late")
    Backup.objects.filter(pk=failed.pk).update(status="failed", is_running=None, lease_until=None)
    assert shown() == ("degraded", "failed")
