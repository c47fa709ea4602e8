"""Disks that are full or closed, and a database that goes away: a run fails with its cause, and nothing else stops."""

import os
import shutil
import subprocess
import sys
from contextlib import closing

import pytest
from django.db import connection, connections

from backups_app.models import Backup
from backups_app.services.backups import backup_create, backup_verify
from config.generated_secrets import new_backup_signing_key
from config.shared.errors import Unavailable
from sessions_app.models import Event, Job
from sessions_app.services.jobs import job_enqueue, job_run
from tests.backups_app.stores import fill_store
from tests.config.served import ROOT, environment, manage
from tests.factories import NOW, make_session

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def backup_dir(request, settings, tmp_path):
    settings.BACKUP_DIR = tmp_path / "backups"
    settings.BACKUP_SIGNING_KEY = new_backup_signing_key()
    return settings.BACKUP_DIR


@pytest.fixture
def disk(tmp_path):
    """Mounts small disks, which may be closed for writing, and lets them go afterwards."""
    mounted = []

    def mount(path, megabytes: int):
        path.mkdir(exist_ok=True)
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", path], check=False)
        if done.returncode:
            pytest.skip("needs to mount a file system")
        mounted.append(path)
        return path

    if os.geteuid() != 0:
        pytest.skip("needs to mount a file system")
    yield mount
    for path in mounted:
        subprocess.run(["umount", path], check=True)


def _create(name=None):
    return backup_create(name=name, trigger="command", requested_by="ada", now=NOW)


def _as_it_was(cause: str) -> None:
    """The good backup is whole, the bad one says why, nothing of it is left, and the next one is made."""
    from django.conf import settings

    failed = Backup.objects.get(status="failed")
    assert cause in failed.failure
    assert Event.objects.get(kind="backup.failed").subject == failed.name
    assert [entry.name for entry in settings.BACKUP_DIR.iterdir() if entry.is_dir()] == ["good"]
    assert not list(settings.DATA_DIR.glob("scratch/*"))
    assert backup_verify(backup=Backup.objects.get(name="good"), now=NOW).good
    assert _create().status == "verified"


def test_a_disk_of_64_megabytes_fills_up_under_a_job_and_other_jobs_go_on(store, disk, backup_dir, owner):
    disk(backup_dir, 64)
    _create("good")
    fill_store(repeated=1)
    filler = backup_dir / "filler"
    free = os.statvfs(backup_dir).f_bavail * os.statvfs(backup_dir).f_frsize
    filler.write_bytes(bytes(free - 8192))
    job = job_enqueue(kind="backup.make", now=NOW)
    assert job_run(job_id=job.pk) == "queued"
    assert "No space left on device" in Job.objects.get(pk=job.pk).error
    assert job_run(job_id=job_enqueue(kind="system.canary", now=NOW).pk) == "succeeded"
    assert owner.post("/api/sessions/", {"title": "goes on"}).status_code == 201
    filler.unlink()
    _as_it_was("No space left on device")


def test_a_disk_that_is_closed_for_writing_fails_the_run(store, disk, backup_dir):
    disk(backup_dir, 4)
    _create("good")
    subprocess.run(["mount", "-o", "remount,ro", backup_dir], check=True)
    with pytest.raises(Unavailable, match="Read-only file system"):
        _create()
    subprocess.run(["mount", "-o", "remount,rw", backup_dir], check=True)
    _as_it_was("Read-only file system")


@pytest.mark.skipif(connection.vendor != "sqlite", reason="servers need no copy")
def test_a_full_disk_under_the_private_copy_fails_the_run(store, disk, settings, tmp_path):
    _create("good")
    kept, settings.DATA_DIR = settings.DATA_DIR, disk(tmp_path / "tiny", 1)
    with pytest.raises(Unavailable, match="disk"):
        _create()
    assert not list(settings.DATA_DIR.glob("scratch/*"))
    settings.DATA_DIR = kept
    _as_it_was("full")


def test_a_folder_without_permission_is_told_in_one_line(tmp_path, migrated):
    """Root is asked for permission, too, once it has laid down the right to go without."""
    if os.geteuid() != 0 or shutil.which("setpriv") is None:
        pytest.skip("needs setpriv")
    migrated(tmp_path)
    assert manage(tmp_path, "backup", "create", "good").returncode == 0
    (tmp_path / "backups").chmod(0o500)

    command = ["setpriv", "--bounding-set=-dac_override", sys.executable, "-W", "ignore", "manage.py", "backup"]
    done = subprocess.run(
        [*command, "create"], cwd=ROOT, env=environment(tmp_path), capture_output=True, text=True, check=False
    )
    (tmp_path / "backups").chmod(0o700)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("CommandError: The archive cannot be written: Permission denied")
    assert "Permission denied" in manage(tmp_path, "backup", "list").stdout
    assert manage(tmp_path, "backup", "verify", "good").returncode == 0
    assert sorted(path.name for path in (tmp_path / "backups").iterdir()) == ["good"]


@pytest.mark.skipif(connection.vendor == "sqlite", reason="a file does not hang up")
def test_a_server_that_hangs_up_fails_the_run_with_its_cause():
    _create("good")
    make_session()

    def hang_up(done=0, total=None, label=""):
        if not hung_up:
            hung_up.append(_hang_up())

    hung_up: list[None] = []
    with pytest.raises(Unavailable, match="The database cannot be read"):
        backup_create(name=None, trigger="command", requested_by="ada", now=NOW, check=hang_up)
    _as_it_was("The database cannot be read")


def _hang_up() -> None:
    """End every connection to the test's database but this one."""
    with closing(connections["default"].copy()) as other, other.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
            return
        cursor.execute("SELECT id FROM information_schema.processlist WHERE db = DATABASE() AND id <> CONNECTION_ID()")
        for (number,) in cursor.fetchall():
            cursor.execute(f"KILL {number}")
