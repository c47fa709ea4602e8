"""`manage.py backup`: what it does, what it says, and when it fails."""

import json
import re
import sqlite3
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from backups_app.models import Backup, Restore
from backups_app.services.backups.folders import archive_names
from config.generated_secrets import new_backup_signing_key
from sessions_app.models import Session
from tests import factories
from tests.backups_app.stores import counts, fill_store
from tests.factories import make_backup

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def backup_dir(store, settings, tmp_path):
    settings.BACKUP_DIR = tmp_path / "backups"
    settings.BACKUP_SIGNING_KEY = new_backup_signing_key()
    return settings.BACKUP_DIR


def _backup(*words: str) -> str:
    out = StringIO()
    call_command("backup", *words, stdout=out)
    return out.getvalue()


def _told(*words: str):
    return json.loads(_backup(*words, "--json"))


def test_one_is_made_listed_verified_and_deleted(backup_dir):
    fill_store(repeated=1)
    rows = sum(counts().values())
    said = _backup("create", "mine")
    assert f"Backup mine is made and verified: {rows:,} rows" in said
    assert str(backup_dir / "mine") in said
    assert re.search(rf"^mine +verified .* {rows:,} rows$", _backup("list"), re.MULTILINE)
    assert f"Backup mine is good: {rows:,} rows, every row was read." in _backup("verify", "mine")
    assert "would be removed. Say --yes to do it." in _backup("delete", "mine")
    assert archive_names() == ["mine"]
    assert "is removed" in _backup("delete", "mine", "--yes")
    assert archive_names() == []


def test_the_public_key_is_what_another_installation_trusts(settings):
    _backup("create", "mine")
    key = _backup("key").strip()
    assert _told("key") == {"public_key": key, "id": _manifest(settings, "mine")["signing_key_id"]}
    settings.BACKUP_SIGNING_KEY = new_backup_signing_key()
    with pytest.raises(CommandError, match="not trusted"):
        _backup("verify", "mine")
    settings.BACKUP_TRUSTED_KEYS = [key]
    assert "is good" in _backup("verify", "mine")
    settings.BACKUP_SIGNING_KEY = ""
    with pytest.raises(CommandError, match="BACKUP_SIGNING_KEY is not set"):
        _backup("key")


def test_a_trusted_key_that_is_none_is_named(settings):
    _backup("create", "mine")
    settings.BACKUP_TRUSTED_KEYS = ["ssh-ed25519 AAAA"]
    with pytest.raises(CommandError, match="BACKUP_TRUSTED_KEYS: 'ssh-ed25519 AAAA' is no public key"):
        _backup("verify", "mine")


def _manifest(settings, name):
    return json.loads((settings.BACKUP_DIR / name / "manifest.json").read_bytes())


def test_machines_read_the_same():
    made = _told("create", "mine")
    assert (made["name"], made["status"], made["requested_by"]) == ("mine", "verified", "manage.py backup")
    assert _told("list") == [made]
    assert _told("verify", "mine")["good"]
    assert _told("prune") == {"would_remove": []}
    assert _told("delete", "mine", "--yes") == {"name": "mine", "removed": True}
    assert _told("list") == []


def test_an_empty_list_says_what_to_do_next():
    assert "`manage.py backup create` makes one" in _backup("list")


def test_a_damaged_one_fails_and_is_named(backup_dir):
    _backup("create", "mine")
    path = next((backup_dir / "mine" / "tables").rglob("*.zst"))
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(CommandError, match=f"Backup mine is damaged: {path.relative_to(backup_dir / 'mine')}"):
        _backup("verify", "mine")
    with pytest.raises(CommandError):
        _told("verify", "mine")
    assert "The last one failed" not in _backup("list")
    assert "damaged" in _backup("list")


def test_pruning_says_what_it_would_remove_and_then_does_it(settings):
    for name in ("a", "b", "c"):
        _backup("create", name)
    settings.MAX_BACKUPS = 2
    assert _backup("prune") == "Would remove: a. Say --yes to do it.\n"
    assert archive_names() == ["a", "b", "c"]
    assert _backup("prune", "--yes") == "Removed: a.\n"
    assert archive_names() == ["b", "c"]
    assert _backup("prune", "--yes") == "Nothing is too much.\n"


@pytest.mark.parametrize("words", [("verify", "nothing"), ("delete", "nothing"), ("delete", "nothing", "--yes")])
def test_a_name_that_is_not_there_is_told(words):
    with pytest.raises(CommandError, match="There is no backup named 'nothing'"):
        _backup(*words)


def test_a_protected_one_is_not_deleted_nor_said_to_be():
    make_backup(name="mine", protected=True)
    for words in ((), ("--yes",)):
        with pytest.raises(CommandError, match="protected"):
            _backup("delete", "mine", *words)


@pytest.mark.parametrize("name", ["../x", "UPPER", ".hidden", "a/b", "x" * 101])
def test_a_bad_name_is_refused_in_one_line(name):
    with pytest.raises(CommandError, match=r"^name: A name is 1 to 100"):
        _backup("create", name)
    assert not Backup.objects.exists()


def test_a_folder_that_cannot_be_written_fails_with_its_cause(settings, tmp_path):
    (tmp_path / "file").write_text("")
    settings.BACKUP_DIR = tmp_path / "file" / "below"
    with pytest.raises(CommandError, match="Not a directory"):
        _backup("create")
    assert re.search("failed .*Not a directory", _backup("list"))


def test_a_restore_says_what_it_would_do_and_then_does_it():
    factories.make_session(title="A parcel is late")
    _backup("create", "mine")
    Session.objects.all().delete()
    factories.make_session(title="came later")
    said = _backup("restore", "mine")
    assert re.search(r"^sessions_app.session +1 +1$", said, re.MULTILINE)
    assert "auth.permission" not in said
    assert said.endswith("Nothing was written. Say --replace --yes to do it.\n")
    with pytest.raises(CommandError, match=r"not empty: .*Say that it is to be replaced"):
        _backup("restore", "mine", "--yes")
    assert Session.objects.get().title == "came later"
    said = _backup("restore", "mine", "--replace", "--yes")
    assert "each table compared with the archive" in said
    assert Session.objects.get().title == "A parcel is late"
    assert list(Restore.objects.order_by("id").values_list("status", flat=True)) == ["dry_run", "failed", "completed"]


def test_machines_read_of_a_restore_what_was_done():
    _backup("create", "mine")
    looked = _told("restore", "mine")
    assert (looked["status"], looked["target"], looked["report"]["checks"]["signature"]) == (
        "dry_run", "this store", "good",
    )  # fmt: skip
    assert _told("restore", "mine", "--replace", "--yes")["status"] == "completed"


def test_an_archive_from_elsewhere_goes_into_another_database(backup_dir, tmp_path):
    factories.make_session(title="A parcel is late")
    _backup("create", "mine")
    brought = tmp_path / "brought" / "mine"
    brought.parent.mkdir()
    (backup_dir / "mine").rename(brought)
    address = f"sqlite:///{tmp_path}/other.sqlite3"
    said = _backup("restore", str(brought), "--to", address)
    assert "Nothing is in" in said
    assert not (tmp_path / "other.sqlite3").exists() or not (tmp_path / "other.sqlite3").stat().st_size
    assert address.split("///")[1] in _backup("restore", str(brought), "--to", address, "--yes")
    with sqlite3.connect(tmp_path / "other.sqlite3") as other:
        assert other.execute("SELECT title FROM sessions_app_session").fetchall() == [("A parcel is late",)]


def test_what_is_no_archive_or_no_database_is_told(tmp_path):
    _backup("create", "mine")
    with pytest.raises(CommandError, match="there is no such folder"):
        _backup("restore", str(tmp_path / "nothing"))
    with pytest.raises(CommandError, match=r"manifest\.json"):
        _backup("restore", str(tmp_path))
    with pytest.raises(CommandError, match=r"^--to: A database's address begins with one of"):
        _backup("restore", "mine", "--to", "ftp://somewhere")
    with pytest.raises(CommandError, match="There is no backup named"):
        _backup("restore", "other")


def test_a_scan_takes_in_what_is_in_the_folder(backup_dir):
    assert "There is no archive in" in _scanned_empty(backup_dir)
    for name in ("a", "b"):
        _backup("create", name)
    Backup.objects.filter(name="a").delete()
    assert [(each["name"], each["standing"]) for each in _told("scan")] == [("a", "added"), ("b", "known")]
    assert Backup.objects.verified().count() == 2
    (backup_dir / "b").rename(backup_dir.parent / "b")
    with pytest.raises(CommandError, match="Not as they should be: b"):
        _backup("scan")


def _scanned_empty(backup_dir) -> str:
    with pytest.raises(CommandError, match="folder of archives is not there"):
        _backup("scan")
    backup_dir.mkdir()
    return _backup("scan")


def test_a_damaged_archive_is_not_restored(backup_dir):
    factories.make_session(title="A parcel is late")
    _backup("create", "mine")
    path = next((backup_dir / "mine" / "tables").rglob("*session/*.zst"))
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(CommandError, match=str(path.relative_to(backup_dir / "mine"))):
        _backup("restore", "mine", "--replace", "--yes")
    assert Session.objects.get().title == "A parcel is late"


def test_a_part_is_looked_at_and_brought_back():
    factories.make_message(session=factories.make_session(session_id="s-1"), content="kept")
    _backup("create", "mine")
    Session.objects.all().delete()
    said = _backup("restore", "mine", "--only", "session:s-1", "--dry-run")
    assert "Nothing was written. Say --yes to do it." in said
    assert re.search(r"^sessions_app.session +1 new$", said, re.MULTILINE)
    assert not Session.objects.exists()
    said = _backup("restore", "mine", "--only", "session:s-1", "--into-session", "s-2", "--yes")
    assert "s-1 as s-2" in said
    assert re.search(r"^\d+ rows came in, each table compared with the archive", said, re.MULTILINE)
    assert Session.objects.get().session_id == "s-2"
    told = _told("restore", "mine", "--only", "session:s-1", "--only", "configs", "--on-conflict", "replace", "--yes")
    assert (told["status"], told["report"]["outcomes"]["sessions_app.session"]) == ("completed", {"new": 1})
    assert told["report"]["outcomes"]["sessions_app.systemconfig"]["replaced"] > 0


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["--only", "session:none"], "--only: The backup holds no session 'none'"),
        (["--only", "message:1"], "--only: It is session:<id>"),
        (["--only", "configs", "--into-project", "none"], "--into-project: There is no project"),
        (["--only", "configs", "--replace"], "are for the whole"),
        (["--only", "configs", "--to", "sqlite:///x"], "are for the whole"),
        (["--on-conflict", "skip"], "are for --only"),
        (["--only", "configs", "--dry-run", "--yes"], "contradict"),
    ],
)
def test_a_part_that_cannot_come_back_is_told_in_one_line(words, why):
    _backup("create", "mine")
    with pytest.raises(CommandError, match=re.escape(why)):
        _backup("restore", "mine", *words)
