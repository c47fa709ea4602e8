"""The archive: what is written is read back, and whatever was changed is refused, by file and reason (C2, C3, C11)."""

import os
import random
import resource
import subprocess
from decimal import Decimal

import msgspec
import pytest
import zstandard

from backups_app.archive import ArchiveRefused, packing, reading
from backups_app.archive.manifest import FORMAT_VERSION, MANIFEST, SIGNATURE, manifest_bytes
from backups_app.archive.rows import decimal_canonical
from backups_app.archive.sealing import sealed
from config.generated_secrets import new_backup_signing_key
from tests.backups_app.archives import IDENTITY, LABEL, SIGNING_KEY, VERIFY_KEY, make_archive

SEED = 20261129


def _refused(made) -> ArchiveRefused:
    with pytest.raises(ArchiveRefused) as refusal:
        made.read()
    assert refusal.value.file
    assert refusal.value.reason
    return refusal.value


@pytest.mark.parametrize("is_sealed", [True, False])
def test_rows_come_back_as_they_went_in(tmp_path, is_sealed):
    made = make_archive(tmp_path, sealed=is_sealed)
    archive = made.open()
    rows = [row for batch in archive.rows(archive.manifest.table(LABEL)) for row in batch]
    assert len(rows) == 300
    assert rows[0] == (1, f"{LABEL} 1\n\u2028 中文 \x01", "2026-03-14T09:26:53.000001Z", None)
    assert rows[2][3] == b"\x00\xff"


@pytest.mark.parametrize(
    ("amount", "line"),
    [
        ("123456789012.123456789012345678901234", "123456789012.123456789012345678901234"),
        ("0.100000000000000000000000", "0.1"),
        ("1E+2", "100"),
        ("-0.00", "0"),
    ],
)
def test_an_amount_is_archived_to_its_last_digit(amount, line):
    assert decimal_canonical(Decimal(amount)) == decimal_canonical(amount) == line


def test_a_table_is_cut_into_parts_that_add_up(tmp_path, monkeypatch):
    monkeypatch.setattr("backups_app.archive.writing.PART_BYTES", 2000)
    made = make_archive(tmp_path)
    parts = made.manifest.tables[0].files
    assert len(parts) > 5
    assert sum(part.rows for part in parts) == 300
    made.read()


def test_the_checksum_does_not_depend_on_parts_or_order(tmp_path, monkeypatch):
    whole = make_archive(tmp_path, "one").manifest.tables[0].checksum
    monkeypatch.setattr("backups_app.archive.writing.PART_BYTES", 500)
    assert make_archive(tmp_path, "two").manifest.tables[0].checksum == whole


def test_age_and_zstd_alone_open_it(tmp_path):
    made = make_archive(tmp_path)
    key = tmp_path / "identity"
    key.write_text(str(IDENTITY))
    opened = subprocess.run(["age", "-d", "-i", key, made.parts()[0]], capture_output=True, check=True).stdout
    lines = subprocess.run(["zstd", "-dc"], input=opened, capture_output=True, check=True).stdout
    assert lines.count(b"\n") == 300


def test_nobody_else_may_read_its_files(tmp_path):
    made = make_archive(tmp_path)
    assert {os.stat(path).st_mode & 0o077 for path in (made.folder, *made.folder.rglob("*"))} == {0}


def _flip(picker, path):
    data = bytearray(path.read_bytes())
    data[picker.randrange(len(data))] ^= 1 << picker.randrange(8)
    path.write_bytes(data)


def _cut(picker, path):
    path.write_bytes(path.read_bytes()[: picker.randrange(path.stat().st_size)])


def _zero(picker, path):
    data = bytearray(path.read_bytes())
    start = picker.randrange(len(data))
    data[start : start + 64] = bytes(len(data[start : start + 64]))
    path.write_bytes(data)


def _swap(picker, path):
    other = picker.choice([each for each in path.parents[2].rglob("*.jsonl.*") if each != path])
    mine, theirs = path.read_bytes(), other.read_bytes()
    path.write_bytes(theirs)
    other.write_bytes(mine)


def _damaged(made, number):
    """Damage a copy in one of the four ways; return it and the names of the files that may be blamed."""
    picker = random.Random(SEED + number)
    copy = made.copy(f"copy-{number}")
    files = [path for path in copy.folder.rglob("*") if path.is_file()]
    how = (_flip, _cut, _zero, _swap)[number % 4]
    path = picker.choice(copy.parts() if how is _swap else files)
    before = path.read_bytes()
    how(picker, path)
    return (copy, path) if path.read_bytes() != before else (None, path)


def _undetected(made, rounds):
    missed, tried = [], 0
    for number in range(rounds):
        copy, path = _damaged(made, number)
        if copy is None:
            continue
        tried += 1
        try:
            copy.read()
        except ArchiveRefused as refusal:
            # A changed manifest is told by its signature; of two exchanged files, either may be met first.
            blamed = {path.name, SIGNATURE} if path.parent == copy.folder else {"001.jsonl.zst.age", "001.jsonl.zst"}
            if refusal.file.rpartition("/")[2] in blamed:
                continue
        missed.append((number, str(path)))
    assert tried > rounds * 0.9
    return missed


@pytest.mark.parametrize("is_sealed", [True, False])
def test_every_damage_is_found(tmp_path, is_sealed):
    made = make_archive(tmp_path, sealed=is_sealed, rows=60)
    assert _undetected(made, 52) == []


@pytest.mark.torture
def test_every_one_of_700_damages_is_found(tmp_path):
    assert _undetected(make_archive(tmp_path, rows=200), 360) == []
    assert _undetected(make_archive(tmp_path / "plain", sealed=False, rows=200), 360) == []


def test_without_the_checks_damage_would_pass(tmp_path, monkeypatch):
    """The control of C2: with the comparisons off, some of the same damage is read as if it were good."""
    tmp_path.joinpath("x").mkdir()
    made = make_archive(tmp_path / "x", sealed=False, rows=60)
    monkeypatch.setattr(reading.Archive, "_stored", lambda self, part: (self.folder / part.name).read_bytes())
    monkeypatch.setattr(reading, "unpacked_check", lambda *_given: None)
    monkeypatch.setattr(reading, "signature_check", lambda *_given: made.manifest.signing_key_id)
    monkeypatch.setattr(reading._Totals, "check", lambda _self: None)
    assert _undetected(made, 52)


def test_an_archive_without_a_signature_is_refused(tmp_path):
    made = make_archive(tmp_path)
    (made.folder / SIGNATURE).unlink()
    assert _refused(made).file == SIGNATURE


def test_a_forged_archive_for_the_right_recipient_is_refused(tmp_path):
    made = make_archive(tmp_path)
    forger = new_backup_signing_key()
    made.sign((made.folder / MANIFEST).read_bytes(), forger)
    assert "not trusted" in _refused(made).reason


def test_an_edited_manifest_is_refused(tmp_path):
    made = make_archive(tmp_path)
    path = made.folder / MANIFEST
    path.write_bytes(path.read_bytes().replace(b'"rows": 300', b'"rows": 299'))
    assert _refused(made).file == SIGNATURE


def test_the_signature_of_another_archive_does_not_do(tmp_path):
    made, other = make_archive(tmp_path), make_archive(tmp_path, "backup-2")
    (made.folder / SIGNATURE).write_bytes((other.folder / SIGNATURE).read_bytes())
    assert _refused(made).file == SIGNATURE


def test_an_older_archive_under_a_newer_name_is_refused(tmp_path):
    old, new = make_archive(tmp_path), make_archive(tmp_path, "backup-2", sequence=2)
    for path in new.folder.rglob("*"):
        if path.is_file():
            path.write_bytes((old.folder / path.relative_to(new.folder)).read_bytes())
    assert "backup-1" in _refused(new).reason


def test_a_missing_and_an_additional_file_are_named(tmp_path):
    made = make_archive(tmp_path)
    path = made.parts()[0]
    path.rename(path.with_name("009.jsonl.zst.age"))
    assert _refused(made).file == f"tables/{LABEL}/009.jsonl.zst.age"
    path.with_name("009.jsonl.zst.age").unlink()
    assert _refused(made).file == f"tables/{LABEL}/001.jsonl.zst.age"


@pytest.mark.parametrize(
    "name",
    ["../outside", "/etc/passwd", "tables/../x", f"tables/{LABEL}/../001.jsonl.zst.age", "tables/x.y/001.jsonl.zst"],
)
def test_names_that_lead_elsewhere_are_refused(tmp_path, name):
    made = make_archive(tmp_path)
    made.change_part(name=name)
    assert _refused(made).file == name


def test_links_devices_and_pipes_are_refused(tmp_path):
    made = make_archive(tmp_path)
    path = made.parts()[0]
    kept = path.read_bytes()
    path.unlink()
    path.symlink_to("/dev/zero")
    assert "symbolic link" in _refused(made).reason
    path.unlink()
    os.mkfifo(path)
    assert "no regular file" in _refused(made).reason
    path.unlink()
    path.write_bytes(kept)
    (made.folder / "tables" / "elsewhere").symlink_to("/etc")
    assert _refused(made).file == "tables/elsewhere"


def test_a_manifest_that_is_a_device_is_not_read(tmp_path):
    made = make_archive(tmp_path)
    (made.folder / MANIFEST).unlink()
    (made.folder / MANIFEST).symlink_to("/dev/zero")
    assert _refused(made).file == MANIFEST


def test_a_file_that_stands_twice_is_refused(tmp_path):
    made = make_archive(tmp_path)
    first = made.manifest.tables[0]
    made.change(tables=[msgspec.structs.replace(first, files=first.files * 2, rows=600)])
    assert "twice" in _refused(made).reason


def test_a_name_twice_in_the_json_is_refused(tmp_path):
    made = make_archive(tmp_path)
    data = (made.folder / MANIFEST).read_bytes()
    made.sign(data.replace(b'"sequence": 1', b'"sequence": 9, "sequence": 1'))
    assert "not written as this format is" in _refused(made).reason


def test_too_many_files_are_refused(tmp_path):
    made = make_archive(tmp_path)
    first = made.manifest.tables[0]
    part = first.files[0]
    many = [msgspec.structs.replace(part, name=f"tables/{LABEL}/{n:06d}.jsonl.zst.age") for n in range(100_001)]
    made.change(tables=[msgspec.structs.replace(first, files=many)])
    assert "100000" in _refused(made).reason


def test_too_many_entries_are_refused_at_the_first_that_is_not_named(tmp_path):
    made = make_archive(tmp_path)
    for number in range(3000):
        (made.folder / "tables" / LABEL / f"{number}.x").touch()
    assert "not named" in _refused(made).reason


def test_a_bomb_is_stopped_at_the_stated_length(tmp_path):
    made = make_archive(tmp_path)
    bomb = zstandard.ZstdCompressor().compress(bytes(1_000_000_000))
    kept = sealed(bomb, [IDENTITY.to_public()])
    made.parts()[0].write_bytes(kept)
    import hashlib

    made.change_part(stored_bytes=len(kept), stored_sha256=hashlib.sha256(kept).hexdigest())
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert "unpacks to more than" in _refused(made).reason
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000
    made.change_part(bytes=1_000_000_000)
    assert "stated to hold" in _refused(made).reason


def test_a_window_that_takes_too_much_memory_is_refused():
    wide = zstandard.ZstdCompressionParameters(window_log=27, format=zstandard.FORMAT_ZSTD1)
    packer = zstandard.ZstdCompressor(compression_params=wide).compressobj()
    packed = packer.compress(os.urandom(1000) * 20_000) + packer.flush()
    with pytest.raises(ArchiveRefused, match="cannot be unpacked"):
        list(packing.unpacked("x", packed, 20_000_000))


def test_a_format_that_is_too_new_is_refused_before_anything_else(tmp_path):
    made = make_archive(tmp_path)
    made.sign(b'{"format": "agentledger-archive", "format_version": %d, "else": 1}' % (FORMAT_VERSION + 1))
    assert "newer" in _refused(made).reason


def test_what_is_no_manifest_is_refused(tmp_path):
    made = make_archive(tmp_path)
    for data in (b"", b"{}", b"[" * 100_000, b"\xff", b'{"format": "zip", "format_version": 1}'):
        made.sign(data)
        assert _refused(made).file == MANIFEST


def test_a_row_of_another_kind_is_refused(tmp_path):
    made = make_archive(tmp_path)
    first = made.manifest.tables[0]
    columns = [
        msgspec.structs.replace(column, kind="int" if column.name == "text" else column.kind)
        for column in first.columns
    ]
    made.change(tables=[msgspec.structs.replace(first, columns=columns), *made.manifest.tables[1:]])
    assert "no row of" in _refused(made).reason


def test_without_the_identity_only_stored_bytes_are_compared(tmp_path):
    made = make_archive(tmp_path)
    archive = made.open(identities=[])
    archive.check_stored()
    with pytest.raises(ArchiveRefused, match="no identity"):
        archive.check_rows()


def test_the_manifest_is_written_in_one_way_only(tmp_path):
    made = make_archive(tmp_path)
    assert (made.folder / MANIFEST).read_bytes() == manifest_bytes(made.manifest)
    made.sign(manifest_bytes(made.manifest), SIGNING_KEY)
    assert made.open(trusted=[VERIFY_KEY]).manifest == made.manifest
