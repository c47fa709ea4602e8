"""An archive that cannot be read here and now is not called damaged for it: pruning would remove it first."""

import os
import resource
import shutil
from contextlib import contextmanager
from pathlib import Path

import pyrage
import pytest

from backups_app.archive.signatures import signature_made, verify_key_of
from backups_app.models import Backup
from backups_app.services.backups import backup_delete, backup_verify, backups_prune, backups_scan
from config.generated_secrets import new_backup_signing_key
from config.shared.callers import SYSTEM
from config.shared.errors import Conflict, Unavailable
from tests.backups_app.restores import create, restore
from tests.conftest import NOW

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("archives")]


@contextmanager
def files_left(number: int):
    """Let this process open only so many files more, as one that keeps too many open."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    highest, held = max(map(int, os.listdir("/proc/self/fd"))), [os.open(os.devnull, os.O_RDONLY)]
    while held[-1] <= highest:
        held.append(os.open(os.devnull, os.O_RDONLY))
    resource.setrlimit(resource.RLIMIT_NOFILE, (held[-1] + 1 + number, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        for descriptor in held:
            os.close(descriptor)


@pytest.mark.parametrize("left", [0, 1])
def test_a_disk_that_does_not_let_it_be_read_says_nothing_of_it(left):
    backup = create("kept")
    with files_left(left), pytest.raises(Unavailable, match="Too many open files"):
        backup_verify(backup=backup, now=NOW)
    backup.refresh_from_db()
    assert (backup.status, backup.failure) == ("verified", "")
    assert backup_verify(backup=backup, now=NOW).good


def test_a_scan_names_it_and_takes_nothing_in(archives):
    create("kept")
    Backup.objects.all().delete()
    with files_left(1):
        (found,) = backups_scan(now=NOW)
    assert (found.standing, "Too many open files" in found.reason, Backup.objects.count()) == ("unreadable", True, 0)
    assert [found.standing for found in backups_scan(now=NOW)] == ["added"]


def test_without_its_identity_nobody_can_say_whether_it_is_good(encrypted, settings, tmp_path):
    backup = create("sealed")
    own, other = settings.BACKUP_AGE_IDENTITY_FILE, tmp_path / "other"
    other.write_text(f"{pyrage.x25519.Identity.generate()}\n")
    settings.BACKUP_AGE_IDENTITY_FILE = str(other)
    with pytest.raises(Conflict, match="No matching keys"):
        backup_verify(backup=backup, now=NOW)
    Backup.objects.all().delete()
    assert [found.standing for found in backups_scan(now=NOW)] == ["unreadable"]
    settings.BACKUP_AGE_IDENTITY_FILE = own
    assert [found.standing for found in backups_scan(now=NOW)] == ["added"]


def test_the_key_of_former_days_is_asked_for(archives, settings):
    backup, former = create("kept"), verify_key_of(settings.BACKUP_SIGNING_KEY)
    settings.BACKUP_SIGNING_KEY = new_backup_signing_key()
    with pytest.raises(Conflict, match="not trusted here"):
        backup_verify(backup=backup, now=NOW)
    settings.BACKUP_TRUSTED_KEYS = [former]
    assert backup_verify(backup=backup, now=NOW).good


def test_a_stranger_s_signature_under_our_manifest_is_damage(archives):
    backup = create("kept")
    signature = archives / "kept" / "manifest.json.sig"
    signature.write_bytes(signature_made((archives / "kept" / "manifest.json").read_bytes(), new_backup_signing_key()))
    assert backup_verify(backup=backup, now=NOW).file == "manifest.json.sig"
    assert backup.status == "damaged"


def test_one_that_is_removed_while_it_is_read_is_told_so():
    backup = create("kept")

    def remove(done=0, total=None, label=""):
        if Backup.objects.filter(pk=backup.pk).exists():
            backup_delete(backup=Backup.objects.get(pk=backup.pk), caller=SYSTEM, now=NOW)

    with pytest.raises(Conflict, match="removed while it was read"):
        backup_verify(backup=backup, now=NOW, check=remove)


@pytest.fixture
def away(settings):
    """Two backups, whose folder is not mounted at the moment."""
    create("old")
    create("new")
    folder = Path(settings.BACKUP_DIR)
    folder.rename(folder.with_name("elsewhere"))
    return folder.with_name("elsewhere")


@pytest.mark.parametrize("dry_run", [True, False])
def test_while_the_folder_is_away_nothing_is_forgotten(away, dry_run):
    for refused in (
        lambda: backups_prune(keep=1, now=NOW, dry_run=dry_run),
        lambda: backup_delete(backup=Backup.objects.get(name="old"), caller=SYSTEM, now=NOW, dry_run=dry_run),
        lambda: backup_verify(backup=Backup.objects.get(name="old"), now=NOW),
        lambda: restore(Backup.objects.get(name="old"), replace=True, dry_run=dry_run),
    ):
        with pytest.raises(Unavailable, match="The folder of archives is not there"):
            refused()
    assert sorted(Backup.objects.values_list("name", "status")) == [("new", "verified"), ("old", "verified")]
    assert sorted(os.listdir(away)) == ["new", "old"]


def test_the_newest_is_the_newest_that_is_there(archives):
    create("old")
    create("new")
    shutil.rmtree(archives / "new")
    # The row whose archive somebody took away does not protect the one that is left from becoming none at all.
    assert backups_prune(keep=1, now=NOW) == ["new"]
    assert os.listdir(archives) == ["old"]
