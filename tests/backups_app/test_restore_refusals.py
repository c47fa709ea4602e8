"""An archive that is not as its maker left it is refused, by verifying and by restoring, before a row is written."""

import hashlib
import os
import random
import shutil
from pathlib import Path

import msgspec
import pyrage
import pytest
import zstandard
from django.db import connection

from backups_app.archive import ArchiveRefused
from backups_app.archive.manifest import MANIFEST, SIGNATURE, TABLES, manifest_bytes
from backups_app.archive.rows import LineReader
from backups_app.archive.signatures import key_id, verify_key_of
from backups_app.models import Backup, Restore
from backups_app.services.backups import backup_verify
from config.generated_secrets import new_backup_signing_key
from tests.backups_app.restores import content, create, made, restore
from tests.backups_app.stores import IDENTITY, fill_store
from tests.backups_app.working import work_start

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("archives")]


@pytest.fixture
def kept(encrypted):
    """A backup of a store with something in it, and its archive."""
    fill_store(repeated=1)
    backup = create("kept")
    return backup, made(backup)


def _files(folder):
    return sorted(path for path in folder.rglob("*") if path.is_file())


class _Damage:
    """One file that was changed, and what it was before."""

    def __init__(self, path, data):
        self.path, self.before = path, path.read_bytes()
        path.write_bytes(data)

    def mend(self):
        self.path.write_bytes(self.before)


def _flipped(picker, path):
    data = bytearray(path.read_bytes())
    bit = picker.randrange(8 * len(data))
    data[bit // 8] ^= 1 << bit % 8
    return _Damage(path, bytes(data))


def _cut(picker, path):
    data = path.read_bytes()
    return _Damage(path, data[: picker.randrange(len(data))])


def _zeroed(picker, path):
    data = path.read_bytes()
    start = picker.randrange(len(data))
    return _Damage(path, data[:start] + bytes(len(data) - start))


def _refused(source):
    """Restore; it must be refused. Returns the file that is blamed."""
    with pytest.raises(ArchiveRefused) as caught:
        restore(source, replace=True)
    assert caught.value.reason
    return caught.value.file


def _all_found(kept, flips, cuts, zeroes):
    backup, archive = kept
    before, picker = content(), random.Random(20260314)
    files = _files(archive.folder)
    kinds = [_flipped] * flips + [_cut] * cuts + [_zeroed] * zeroes
    for spoil in kinds:
        damage = spoil(picker, picker.choice(files))
        name = str(damage.path.relative_to(archive.folder))
        # A manifest and its signature speak of each other.
        blamed = {name} if name.startswith(TABLES) else {MANIFEST, SIGNATURE}
        assert _refused(backup) in blamed
        report = backup_verify(backup=backup, now=backup.started_at)
        assert (report.good, report.file in blamed) == (False, True)
        damage.mend()
    assert content() == before
    assert set(Restore.objects.values_list("status", flat=True)) == {"failed"}
    assert Restore.objects.count() == len(kinds)
    assert restore(backup, replace=True).status == "completed"


def test_every_damage_is_found(kept):
    _all_found(kept, flips=14, cuts=6, zeroes=3)


@pytest.mark.torture
@pytest.mark.timeout(3600)
def test_every_one_of_700_damages_is_found(kept):
    _all_found(kept, flips=500, cuts=200, zeroes=50)


def test_without_checksums_most_damage_would_come_in(settings, archives):
    """The control: of 200 flipped bits in the lines themselves, most are rows like any other."""
    fill_store(repeated=3)
    archive, picker = made(create()), random.Random(1)
    table = archive.manifest.table("history_app.message")
    packed = (archive.folder / table.files[0].name).read_bytes()
    lines = zstandard.ZstdDecompressor().decompressobj().decompress(packed)
    reader, unnoticed = LineReader(table.columns), 0
    for _ in range(200):
        data = bytearray(lines)
        bit = picker.randrange(8 * len(data))
        data[bit // 8] ^= 1 << bit % 8
        try:
            unnoticed += reader.rows(bytes(data)) != reader.rows(lines)
        except ValueError:
            continue
    assert unnoticed > 50


def test_files_that_changed_places_are_found(kept):
    backup, archive = kept
    one, other = archive.parts()[:2]
    first, second = one.read_bytes(), other.read_bytes()
    one.write_bytes(second)
    other.write_bytes(first)
    assert _refused(backup).startswith(TABLES)
    assert not backup_verify(backup=backup, now=backup.started_at).good


def test_a_forged_archive_is_refused_and_only_its_signature_keeps_it_out(kept, settings):
    """The recipients of the encryption are public: anybody can make an archive that opens here."""
    _backup, archive = kept
    forger = new_backup_signing_key()
    told = archive.manifest
    forged = msgspec.structs.replace(told, signing_key_id=key_id(verify_key_of(forger)))
    assert told.encryption.recipients == [str(IDENTITY.to_public())]
    archive.sign(manifest_bytes(forged), forger)
    before = content()
    assert _refused(archive.folder) == SIGNATURE
    assert content() == before
    # The control: whoever trusts the forger takes it.
    settings.BACKUP_TRUSTED_KEYS = [verify_key_of(forger)]
    assert restore(archive.folder, replace=True).status == "completed"


def test_an_edited_manifest_is_refused(kept):
    backup, archive = kept
    data = (archive.folder / MANIFEST).read_bytes()
    (archive.folder / MANIFEST).write_bytes(data.replace(b'"sequence": 1', b'"sequence": 7'))
    assert _refused(backup) == SIGNATURE


def test_an_older_archive_in_the_place_of_a_newer_one_is_refused(kept, settings):
    _backup, archive = kept
    newer = made(create("newer"))
    for path in _files(newer.folder):
        path.unlink()
    shutil.copytree(archive.folder, newer.folder, dirs_exist_ok=True)
    assert _refused(Backup.objects.get(name="newer")) == MANIFEST
    assert _refused(newer.folder) == MANIFEST


def test_an_older_archive_of_the_same_name_is_not_the_one_that_was_made(kept, tmp_path):
    backup, archive = kept
    shutil.copytree(archive.folder, tmp_path / "away")
    Backup.objects.filter(pk=backup.pk).delete()
    shutil.rmtree(archive.folder)
    again = create("kept")
    shutil.rmtree(archive.folder)
    (tmp_path / "away").rename(archive.folder)
    assert _refused(again) == MANIFEST


def test_a_file_that_is_missing_or_was_added_is_named(kept):
    backup, archive = kept
    part = archive.parts()[0]
    extra = part.with_name("002.jsonl.zst.age")
    shutil.copy(part, extra)
    assert _refused(backup) == str(extra.relative_to(archive.folder))
    extra.unlink()
    part.unlink()
    assert _refused(backup) == str(part.relative_to(archive.folder))


def _climbing(archive):
    archive.change_part(name="../../../../tmp/agentledger-was-here")


def _absolute(archive):
    archive.change_part(name="/tmp/agentledger-was-here")


def _linked(archive):
    part = archive.parts()[0]
    part.unlink()
    part.symlink_to("/etc/passwd")


def _device(archive):
    part = archive.parts()[0]
    part.unlink()
    os.mkfifo(part)


def _twice(archive):
    first, *others = archive.manifest.tables
    archive.change(tables=[first, first, *others])


def _bomb(archive):
    """A part of zeros, a thousand times as long as what is stored of it, stated as what it is."""
    part, size = archive.folder / archive.manifest.tables[0].files[0].name, 60 * 1024 * 1024
    kept = pyrage.encrypt(zstandard.compress(bytes(size)), [IDENTITY.to_public()])
    assert len(kept) * 1000 < size
    part.write_bytes(kept)
    digest = hashlib.sha256(bytes(size)).hexdigest()
    stored = {"stored_bytes": len(kept), "stored_sha256": hashlib.sha256(kept).hexdigest()}
    archive.change_part(bytes=size, sha256=digest, **stored)


def _later(archive):
    migrations = archive.manifest.migrations
    names = [*migrations["history_app"], "0099_from_the_future"]
    archive.change(migrations={**migrations, "history_app": names})


def _of_nowhere(archive):
    archive.change(migrations={})


def _strange_column(archive):
    first, *others = archive.manifest.tables
    column = msgspec.structs.replace(first.columns[-1], name="password_in_clear")
    archive.change(tables=[msgspec.structs.replace(first, columns=[*first.columns[:-1], column]), *others])


def _orphans(archive):
    """Sessions whose project is not among the projects."""
    gone = archive.manifest.table("sessions_app.project")
    for part in gone.files:
        (archive.folder / part.name).unlink()
    (archive.folder / TABLES / gone.label).rmdir()
    archive.change(tables=[table for table in archive.manifest.tables if table is not gone])


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (_climbing, "no name of a file"),
        (_absolute, "no name of a file"),
        (_linked, "symbolic link"),
        (_device, "no regular file"),
        (_twice, "stands in it twice"),
        (_bomb, "no end"),
        (_later, "later version"),
        (_of_nowhere, "which migrations"),
        (_strange_column, "password_in_clear"),
        (_orphans, "is not there"),
    ],
)
def test_a_hostile_archive_is_refused_though_a_trusted_key_signed_it(kept, tmp_path, spoil, reason):
    backup, archive = kept
    spoil(archive)
    Backup.objects.filter(pk=backup.pk).update(manifest_sha256="")
    before, there = content(), {path for path in tmp_path.rglob("*") if "store.sqlite3" not in path.name}
    with pytest.raises(ArchiveRefused, match=reason):
        restore(Backup.objects.get(pk=backup.pk), replace=True)
    assert content() == before
    assert {path for path in tmp_path.rglob("*") if "store.sqlite3" not in path.name} == there
    assert not Path("/tmp/agentledger-was-here").exists()


@pytest.mark.torture
@pytest.mark.timeout(1800)
def test_a_million_entries_are_not_even_listed(kept):
    backup, archive = kept
    folder = archive.folder / TABLES / "history_app.message"
    for number in range(1_000_000):
        os.close(os.open(folder / f"{number}", os.O_CREAT | os.O_WRONLY))
    assert _refused(backup).startswith((TABLES, archive.folder.name))
    # In a process of its own, whose peak of memory is that of this one restore.
    connection.close()
    process = work_start("restore", backup.name)
    with process:
        told = process.stderr.read()
        _pid, _status, used = os.wait4(process.pid, 0)
        process.returncode = 1
    assert "ArchiveRefused" in told
    assert list(Restore.objects.values_list("status", flat=True)) == ["failed", "failed"]
    assert used.ru_maxrss < 300 * 1024
