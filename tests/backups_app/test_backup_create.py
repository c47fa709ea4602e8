"""A backup is made whole or not at all, and it counts when it was read back."""

import json
import os
import subprocess

import pytest

from backups_app.archive import ArchiveRefused
from backups_app.archive.signatures import verify_key_of
from backups_app.models import Backup
from backups_app.services.backups import archive_inspect, backup_create, backup_verify
from backups_app.services.backups.tables import ARCHIVED
from config.generated_secrets import new_backup_signing_key
from config.shared.errors import Conflict, Unavailable
from config.shared.jobs import JobCancelled
from sessions_app.models import Event
from tests.backups_app.stores import IDENTITY, counts, fill_store

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _folders(store, settings, tmp_path):
    settings.BACKUP_DIR = tmp_path / "backups"
    settings.BACKUP_SIGNING_KEY = new_backup_signing_key()


@pytest.fixture
def sealed(settings, tmp_path):
    """Archives are encrypted, and opened here."""
    (tmp_path / "identity").write_text(f"# made for a test\n{IDENTITY}\n")
    settings.BACKUP_AGE_RECIPIENTS = [str(IDENTITY.to_public())]
    settings.BACKUP_AGE_IDENTITY_FILE = str(tmp_path / "identity")


def _create(now, **options):
    return backup_create(**{"name": None, "trigger": "command", "requested_by": "ada", "now": now, **options})


def _folder(settings, backup):
    return settings.BACKUP_DIR / backup.location


def test_everything_is_in_it(now, settings):
    fill_store()
    there = counts()
    assert all(there.values()), [label for label in ARCHIVED if not there[label]]
    backup = _create(now)
    assert (backup.status, backup.tables) == ("verified", there)
    assert backup.row_count == sum(there.values())
    assert not backup.encrypted
    assert Event.objects.filter(kind="backup.made", subject=backup.name).exists()
    found = archive_inspect(_folder(settings, backup))
    assert (found.tables, found.sha256, found.sequence) == (there, backup.manifest_sha256, 1)
    assert found.size_bytes == backup.size_bytes


def test_it_is_read_back_in_full(now, sealed):
    fill_store(repeated=1)
    backup = _create(now)
    assert backup.encrypted
    report = backup_verify(backup=backup, now=now)
    assert (report.good, report.content_read, report.tables) == (True, True, backup.tables)


def test_without_the_identity_the_stored_bytes_are_compared(now, sealed, settings):
    settings.BACKUP_AGE_IDENTITY_FILE = ""
    report = backup_verify(backup=_create(now), now=now)
    assert (report.good, report.content_read) == (True, False)


def test_no_secret_stands_in_clear(now, settings):
    fill_store(repeated=1)
    backup = _create(now)
    import zstandard

    for path in (_folder(settings, backup) / "tables").rglob("*.zst"):
        assert b"sk-test-0123456789abcdef" not in zstandard.ZstdDecompressor().stream_reader(path.open("rb")).read()


def test_each_one_names_the_one_before(now, settings):
    first, second = _create(now), _create(now)
    previous = archive_inspect(_folder(settings, second)).manifest.previous
    assert (previous.name, previous.sequence, previous.manifest_sha256) == (first.name, 1, first.manifest_sha256)


def test_a_damaged_one_is_marked_and_the_file_is_named(now, settings):
    fill_store(repeated=1)
    backup = _create(now)
    path = next((_folder(settings, backup) / "tables").rglob("*message/*.zst"))
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    report = backup_verify(backup=backup, now=now)
    assert (report.good, report.file) == (False, "tables/history_app.message/001.jsonl.zst")
    assert (backup.status, "001.jsonl.zst" in backup.failure) == ("damaged", True)


def test_an_older_archive_in_its_place_is_found(now, settings):
    old, new = _create(now), _create(now)
    _folder(settings, new).rename(settings.BACKUP_DIR / "away")
    _folder(settings, old).rename(_folder(settings, new))
    assert old.name in backup_verify(backup=new, now=now).reason


def test_one_made_anew_under_the_name_is_not_the_one_that_was_made(now, settings):
    backup = _create(now, name="nightly")
    Backup.objects.filter(pk=backup.pk).update(manifest_sha256="0" * 64)
    backup.refresh_from_db()
    assert "another archive" in backup_verify(backup=backup, now=now).reason


def test_a_name_is_taken_once(now):
    _create(now, name="nightly")
    with pytest.raises(Conflict, match="nightly"):
        _create(now, name="nightly")


def test_without_a_signing_key_none_is_made(now, settings):
    settings.BACKUP_SIGNING_KEY = ""
    with pytest.raises(Conflict, match="BACKUP_SIGNING_KEY"):
        _create(now)
    assert Backup.objects.get().status == "failed"
    settings.BACKUP_SIGNING_KEY = "nonsense"
    with pytest.raises(Conflict, match="32 random bytes"):
        _create(now)


def test_what_is_no_recipient_stops_it(now, settings):
    settings.BACKUP_AGE_RECIPIENTS = ["age1nonsense"]
    with pytest.raises(Conflict, match="BACKUP_AGE_RECIPIENTS"):
        _create(now)


def _failed_whole(settings, now):
    backup = Backup.objects.get(status="failed")
    assert backup.failure
    assert Event.objects.filter(kind="backup.failed", subject=backup.name).exists()
    assert [path.name for path in settings.BACKUP_DIR.iterdir()] == ["good"]
    good = Backup.objects.get(name="good")
    assert backup_verify(backup=good, now=now).good
    return backup


@pytest.fixture
def small_disk(settings):
    """The archives lie on a disk of one megabyte."""
    settings.BACKUP_DIR.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", settings.BACKUP_DIR]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("needs to mount a file system")
    yield settings.BACKUP_DIR
    subprocess.run(["umount", settings.BACKUP_DIR], check=True)


@pytest.mark.parametrize("left", [0, 4096, 60_000])
def test_a_disk_that_is_full_fails_the_run_and_nothing_else(now, settings, small_disk, tmp_path, left):
    _create(now, name="good")
    fill_store(repeated=1)
    free = os.statvfs(small_disk).f_bavail * os.statvfs(small_disk).f_frsize
    filler = small_disk / "filler"
    filler.write_bytes(os.urandom(free - left))
    with pytest.raises(Unavailable, match="No space left"):
        _create(now)
    filler.unlink()
    assert "No space left" in _failed_whole(settings, now).failure
    assert _create(now).status == "verified"


def test_a_folder_that_may_not_be_written_fails_the_run(now, settings, tmp_path):
    _create(now, name="good")
    good = settings.BACKUP_DIR
    (tmp_path / "file").write_text("")
    settings.BACKUP_DIR = tmp_path / "file" / "below"
    with pytest.raises(Unavailable, match="Not a directory"):
        _create(now)
    settings.BACKUP_DIR = good
    _failed_whole(settings, now)


def test_it_stops_when_it_is_asked_to(now, settings):
    _create(now, name="good")

    def stop(done, total, label):
        raise JobCancelled("asked to stop")

    with pytest.raises(JobCancelled):
        _create(now, check=stop)
    assert "asked to stop" in _failed_whole(settings, now).failure


def test_progress_is_told_in_rows_of_tables(now):
    fill_store(repeated=1)
    told = []
    _create(now, check=lambda done, total, label: told.append((done, total, label)))
    assert told[0][1] == sum(counts().values()) - 1  # the event that the backup was made came later
    assert all(done <= total for done, total, _label in told)


def test_an_archive_of_a_stranger_is_not_even_described(now, settings):
    backup = _create(now)
    own = settings.BACKUP_SIGNING_KEY
    settings.BACKUP_SIGNING_KEY = new_backup_signing_key()
    with pytest.raises(ArchiveRefused, match="not trusted"):
        archive_inspect(_folder(settings, backup))
    settings.BACKUP_TRUSTED_KEYS = [verify_key_of(own)]
    assert archive_inspect(_folder(settings, backup)).name == backup.name


def test_nothing_but_the_archive_stays(now, settings):
    backup = _create(now)
    assert os.listdir(settings.BACKUP_DIR) == [backup.name]
    assert not list(settings.DATA_DIR.glob("scratch/*"))
    assert json.loads((_folder(settings, backup) / "manifest.json").read_bytes())["kind"] == "full"
