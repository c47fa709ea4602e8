"""The folder is the truth: rows are made again from signed manifests, and strangers are told apart."""

import shutil

import pytest
from django.conf import settings as configured

from backups_app.archive.signatures import verify_key_of
from backups_app.models import Backup
from backups_app.services.backups import backup_create, backup_verify, backups_scan
from config.generated_secrets import new_backup_signing_key
from config.shared.errors import Conflict, Unavailable

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _folders(store, settings, tmp_path):
    settings.BACKUP_DIR = tmp_path / "backups"
    settings.BACKUP_SIGNING_KEY = new_backup_signing_key()


def _create(now, name):
    return backup_create(name=name, trigger="schedule", requested_by="ada", now=now)


def _standings(now):
    return {found.name: found.standing.value for found in backups_scan(now=now)}


def test_a_store_that_is_new_finds_what_an_older_one_made(now):
    made = [_create(now, "one"), _create(now, "two")]
    Backup.objects.all().delete()
    assert _standings(now) == {"one": "added", "two": "added"}
    for old in made:
        row = Backup.objects.get(name=old.name)
        for name in ("sequence", "status", "size_bytes", "row_count", "tables", "manifest_sha256", "location"):
            assert getattr(row, name) == getattr(old, name)
        assert backup_verify(backup=row, now=now).good
    assert _standings(now) == {"one": "known", "two": "known"}


def test_the_numbers_go_on_behind_those_that_were_found(now):
    _create(now, "one")
    Backup.objects.all().delete()
    backups_scan(now=now)
    assert _create(now, "two").sequence == 2


def test_a_stranger_s_archive_gets_no_row(now, settings):
    own = settings.BACKUP_SIGNING_KEY
    _create(now, "theirs")
    Backup.objects.all().delete()
    settings.BACKUP_SIGNING_KEY = new_backup_signing_key()
    (found,) = backups_scan(now=now)
    assert (found.standing, Backup.objects.count()) == ("foreign", 0)
    assert "not trusted" in found.reason
    settings.BACKUP_TRUSTED_KEYS = [verify_key_of(own)]
    assert _standings(now) == {"theirs": "added"}


def test_two_stores_may_have_the_same_number(now):
    _create(now, "theirs")
    Backup.objects.all().delete()
    _create(now, "ours")
    assert _standings(now) == {"ours": "known", "theirs": "added"}
    assert Backup.objects.get(name="theirs").sequence is None


def test_damage_is_found_before_it_counts(now, settings):
    _create(now, "one")
    Backup.objects.all().delete()
    path = next((settings.BACKUP_DIR / "one" / "tables").rglob("*.zst"))
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    (found,) = backups_scan(now=now)
    assert found.standing == "damaged"
    assert path.name in found.reason
    assert Backup.objects.get().status == "damaged"


def test_what_was_exchanged_or_is_gone_is_told_and_nothing_changed(now, settings):
    _create(now, "one")
    _create(now, "two")
    Backup.objects.filter(name="one").update(manifest_sha256="0" * 64)
    shutil.rmtree(settings.BACKUP_DIR / "two")
    before = list(Backup.objects.order_by("pk").values())
    assert _standings(now) == {"one": "exchanged", "two": "gone"}
    assert list(Backup.objects.order_by("pk").values()) == before


def test_what_is_no_archive_is_not_taken_for_one(now, settings):
    settings.BACKUP_DIR.mkdir()
    for name in ("notes", "Very Odd", ".one.partial"):
        (settings.BACKUP_DIR / name).mkdir()
        (settings.BACKUP_DIR / name / "manifest.json").write_text("{}")
    assert _standings(now) == {"notes": "foreign", "Very Odd": "foreign"}


def test_a_folder_that_is_away_is_no_empty_one(now):
    with pytest.raises(Unavailable, match=str(configured.BACKUP_DIR)):
        backups_scan(now=now)
    assert not Backup.objects.exists()


def test_without_a_key_nothing_is_looked_at(now, settings):
    settings.BACKUP_DIR.mkdir()
    settings.BACKUP_SIGNING_KEY = ""
    with pytest.raises(Conflict, match="BACKUP_TRUSTED_KEYS"):
        backups_scan(now=now)
    assert not Backup.objects.exists()
