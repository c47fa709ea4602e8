"""Backups over the API: for whom they are there, asked for as jobs, removed and handed out."""

import io
import tarfile
import tracemalloc
from datetime import timedelta

import pytest
from django.test import Client

from backups_app.models import Backup
from backups_app.services.backups import archive_inspect, backup_create
from backups_app.services.backups.folders import archive_names
from backups_app.services.backups.handing_out import backup_hand_out, backup_hand_out_size
from backups_app.services.backups.runs import backup_begin
from config.generated_secrets import new_backup_signing_key
from config.shared.callers import SYSTEM
from sessions_app.models import AuditEntry, Job, Session
from sessions_app.services.jobs import job_run
from tests.factories import NOW, make_backup, make_message, make_restore, make_session

pytestmark = pytest.mark.django_db
PATH = "/api/backups/"


@pytest.fixture(autouse=True)
def backup_dir(settings, tmp_path):
    settings.BACKUP_DIR = tmp_path / "backups"
    settings.BACKUP_SIGNING_KEY = new_backup_signing_key()
    return settings.BACKUP_DIR


@pytest.fixture
def files(backup_dir):
    """A backup with a folder, whose files hold whatever is written into them."""
    row = make_backup(name="mine", location="mine")
    (backup_dir / "mine" / "tables" / "t").mkdir(parents=True)
    (backup_dir / "mine" / "manifest.json").write_text("{}")
    (backup_dir / "mine" / "tables" / "t" / "001.jsonl.zst").write_bytes(b"x" * 70_001)
    return row


def _body(answer) -> bytes:
    return b"".join(answer.streaming_content)


def test_they_are_listed_newest_first_and_filtered(owner):
    make_backup(name="old", started_at=NOW - timedelta(days=1))
    make_backup(name="new", status="damaged", failure="a file is gone")
    rows = owner.get(PATH).json()["results"]
    assert [row["name"] for row in rows] == ["new", "old"]
    assert rows[0]["failure"] == "a file is gone"
    assert owner.get(f"{PATH}new/").json() == rows[0]
    for params, names in (
        ({"status": "verified"}, ["old"]),
        ({"start": NOW.isoformat()}, ["new"]),
        ({"end": NOW.isoformat()}, ["old"]),
        ({"ordering": "started_at"}, ["old", "new"]),
    ):
        assert [row["name"] for row in owner.get(PATH, params).json()["results"]] == names
    for params in ({"status": "odd"}, {"start": "yesterday"}, {"colour": "red"}):
        assert owner.get(PATH, params).status_code == 400


def test_restores_are_listed_and_read(owner):
    row = make_restore(status="dry_run", report={"tables": {"sessions_app.session": 3}})
    (listed,) = owner.get("/api/restores/", {"status": "dry_run"}).json()["results"]
    assert (listed["id"], listed["report"]) == (row.pk, {"tables": {"sessions_app.session": 3}})
    assert owner.get(f"/api/restores/{row.pk}/").json() == listed
    assert owner.get("/api/restores/", {"status": "failed"}).json()["results"] == []
    assert owner.post("/api/restores/", {}).status_code == 405


@pytest.mark.django_db(transaction=True)
def test_one_is_asked_for_and_its_job_is_polled(store, owner):
    answer = owner.post(PATH, {"name": "mine"})
    job = answer.json()
    assert (answer.status_code, job["kind"], job["state"]) == (202, "backup.make", "queued")
    assert answer["Location"] == f"http://testserver/api/jobs/{job['id']}/"
    assert job_run(job_id=job["id"]) == "succeeded"
    assert owner.get(answer["Location"]).json()["result"]["backup"] == "mine"
    row = owner.get(f"{PATH}mine/").json()
    assert (row["status"], row["trigger"], row["requested_by"][:10]) == ("verified", "api", "key: owner")


def test_a_retry_with_the_same_key_asks_once(owner):
    headers = {"Idempotency-Key": "k-1"}
    first, second = owner.post(PATH, {}, headers=headers), owner.post(PATH, {}, headers=headers)
    assert (first.status_code, first.json()) == (second.status_code, second.json())
    assert Job.objects.filter(kind="backup.make").count() == 1
    assert owner.post(PATH, {"name": "other"}, headers=headers).status_code == 409


@pytest.mark.parametrize("body", [{"name": "../x"}, {"name": ""}, {"name": 7}, {"title": "x"}, {"name": None}, []])
def test_a_bad_request_names_the_place_and_asks_for_nothing(owner, body):
    answer = owner.post(PATH, body)
    assert (answer.status_code, answer["Content-Type"]) == (400, "application/problem+json")
    assert not Job.objects.exists()


def test_a_taken_name_is_a_conflict(owner):
    make_backup(name="mine")
    assert owner.post(PATH, {"name": "mine"}).status_code == 409


def test_verifying_is_a_job(owner):
    make_backup(name="mine")
    answer = owner.post(f"{PATH}mine/verify/")
    assert (answer.status_code, answer.json()["arguments"]) == (202, {"name": "mine"})
    assert owner.post(f"{PATH}nothing/verify/").status_code == 404


def test_a_restore_is_a_job_and_so_is_a_look_at_it(owner):
    make_backup(name="mine")
    answer = owner.post(f"{PATH}mine/restore/", {"dry_run": True})
    assert (answer.status_code, answer.json()["kind"]) == (202, "backup.restore")
    assert answer.json()["arguments"] == {"name": "mine", "dry_run": True, "replace": False}
    assert owner.post(f"{PATH}mine/restore/").status_code == 202
    for bad in ({"dry_run": "yes"}, {"only": "configs"}, {"replace": None}, []):
        assert owner.post(f"{PATH}mine/restore/", bad).status_code == 400
    assert owner.post(f"{PATH}nothing/restore/", {}).status_code == 404
    assert Job.objects.count() == 2


@pytest.mark.django_db(transaction=True)
def test_a_part_is_asked_for_and_comes_back(store, owner, project):
    make_message(session=make_session(session_id="s-1"), content="kept")
    backup_create(name="mine", trigger="command", requested_by="", now=NOW)
    Session.objects.all().delete()
    body = {"only": ["session:s-1"], "on_conflict": "replace", "into": {"project": "default"}}
    look = owner.post(f"{PATH}mine/restore/", {**body, "dry_run": True})
    assert (look.status_code, look.json()["kind"]) == (202, "backup.restore_part")
    assert look.json()["arguments"] == {"name": "mine", "dry_run": True, **body}
    assert job_run(job_id=look.json()["id"]) == "succeeded"
    assert not Session.objects.exists()
    asked = owner.post(f"{PATH}mine/restore/", body)
    assert job_run(job_id=asked.json()["id"]) == "succeeded"
    assert owner.get("/api/sessions/s-1/messages/").json()["results"][0]["content"] == "kept"
    done = owner.get(f"/api/restores/{owner.get(asked['Location']).json()['result']['restore']}/").json()
    assert (done["target"], done["status"], done["report"]["part"]) == ("a part of this store", "completed", body)
    assert done["report"]["tables"]["history_app.message"] == 1


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"only": ["session:none"]}, "/only/0"),
        ({"only": ["session:s-1", "user:none"]}, "/only/1"),
        ({"only": ["project:none"]}, "/only/0"),
        ({"only": ["message:7"]}, "/only/0"),
        ({"only": [7]}, "/only/0"),
        ({"only": []}, "/only"),
        ({"only": ["configs"], "replace": True}, "/replace"),
        ({"only": ["configs"], "on_conflict": "merge"}, "/on_conflict"),
        ({"only": ["configs"], "into": {"project": "none"}}, "/into/project"),
        ({"only": ["configs"], "into": {"place": "none"}}, "/into/place"),
        ({"on_conflict": "skip"}, "/on_conflict"),
        ({"into": {"project": "default"}}, "/into"),
    ],
)
def test_what_cannot_come_back_is_named_at_once(store, owner, body, pointer):
    make_session(session_id="s-1")
    backup_create(name="mine", trigger="command", requested_by="", now=NOW)
    answer = owner.post(f"{PATH}mine/restore/", body)
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, pointer)
    assert not Job.objects.exists()


def test_one_is_removed_unless_protected_or_at_work(owner, files):
    Backup.objects.filter(name="mine").update(protected=True)
    assert owner.delete(f"{PATH}mine/").status_code == 409
    assert archive_names() == ["mine"]
    Backup.objects.filter(name="mine").update(protected=False)
    assert owner.delete(f"{PATH}mine/").status_code == 204
    assert (archive_names(), owner.get(f"{PATH}mine/").status_code) == ([], 404)
    running = backup_begin(name="running", trigger="api", requested_by="", now=NOW)
    assert owner.delete(f"{PATH}{running.name}/").status_code == 409


@pytest.mark.django_db(transaction=True)
def test_what_is_downloaded_is_the_archive(store, owner, tmp_path):
    backup = backup_create(name="mine", trigger="command", requested_by="", now=NOW)
    answer = owner.get(f"{PATH}mine/download/")
    body = _body(answer)
    assert (answer["Content-Type"], int(answer["Content-Length"])) == ("application/x-tar", len(body))
    assert 'filename="mine.tar"' in answer["Content-Disposition"]
    with tarfile.open(fileobj=io.BytesIO(body)) as tar:
        tar.extractall(tmp_path / "out", filter="data")
    assert archive_inspect(tmp_path / "out" / "mine").sha256 == backup.manifest_sha256
    entry = AuditEntry.objects.get(action="backup.download")
    assert (entry.actor.partition(" ")[0], entry.changes) == ("owner", {"name": "mine"})


def test_the_audit_has_it_before_the_first_byte(owner, files):
    # Nobody has asked for a piece of it yet.
    assert owner.get(f"{PATH}mine/download/").streaming
    assert AuditEntry.objects.filter(action="backup.download").count() == 1
    head = owner.head(f"{PATH}mine/download/")
    assert (head.status_code, int(head["Content-Length"])) == (200, backup_hand_out_size(backup=files))
    assert AuditEntry.objects.filter(action="backup.download").count() == 1


def test_a_download_of_any_size_takes_little_memory(files, backup_dir):
    with (backup_dir / "mine" / "tables" / "t" / "002.jsonl.zst").open("wb") as file:
        file.truncate(300 * 1024 * 1024)
    tracemalloc.start()
    tar = backup_hand_out(backup=files, caller=SYSTEM, now=NOW)
    sent = sum(len(piece) for piece in tar.pieces)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (sent, peak < 8 * 1024 * 1024) == (tar.size, True), peak


def test_what_is_not_there_is_not_handed_out(owner, files, backup_dir, settings):
    make_backup(name="gone")
    assert owner.get(f"{PATH}gone/download/").status_code == 409
    settings.BACKUP_DIR = backup_dir / "away"
    answer = owner.get(f"{PATH}mine/download/")
    assert (answer.status_code, answer["Retry-After"]) == (503, "60")
    assert not AuditEntry.objects.filter(action="backup.download").exists()


def test_a_file_that_shrinks_meanwhile_ends_the_answer_early(files, backup_dir):
    tar = backup_hand_out(backup=files, caller=SYSTEM, now=NOW)
    (backup_dir / "mine" / "tables" / "t" / "001.jsonl.zst").write_bytes(b"x")
    with pytest.raises(Exception, match="shorter than it was"):
        list(tar.pieces)


@pytest.mark.parametrize("who", ["operator", "agent", "reader"])
def test_other_roles_may_nothing(request, files, who):
    client = request.getfixturevalue(who)
    paths = (PATH, f"{PATH}mine/", f"{PATH}mine/download/", "/api/restores/")
    assert {client.get(path).status_code for path in paths} == {403}
    assert {client.post(f"{PATH}{rest}", {}).status_code for rest in ("", "mine/verify/", "mine/restore/")} == {403}
    assert client.delete(f"{PATH}mine/").status_code == 403


def test_nobody_comes_without_a_key(anonymous, files):
    assert {anonymous.get(path).status_code for path in (PATH, f"{PATH}mine/download/")} == {401}


def test_a_key_of_one_project_among_several_sees_none_of_it(owner, other_project, files):
    restore = make_restore()
    assert owner.get(PATH).json()["results"] == owner.get("/api/restores/").json()["results"] == []
    for path in (f"{PATH}mine/", f"{PATH}mine/download/", f"/api/restores/{restore.pk}/"):
        assert owner.get(path).status_code == 404
    assert {owner.post(f"{PATH}mine/{verb}/").status_code for verb in ("verify", "restore")} == {404}
    assert owner.delete(f"{PATH}mine/").status_code == 404
    assert owner.post(PATH, {}).status_code == 403
    assert not Job.objects.exists()


def test_staff_who_see_every_project_see_them(staff_admin, analyst, other_project, files):
    assert [row["name"] for row in staff_admin.get(PATH).json()["results"]] == ["mine"]
    assert staff_admin.get(f"{PATH}?project=default").json()["results"] == []
    assert analyst.get(PATH).status_code == 403
    browser = Client(enforce_csrf_checks=True)
    browser.cookies = staff_admin.cookies
    assert browser.post(PATH, {}, content_type="application/json").status_code == 403


@pytest.mark.parametrize(("path", "queries"), [(PATH, 3), (f"{PATH}mine/", 3), ("/api/restores/", 3)])
def test_reading_takes_a_fixed_number_of_queries(owner, files, django_assert_num_queries, path, queries):
    for _ in range(5):
        make_backup()
        make_restore()
    owner.get(path)
    with django_assert_num_queries(queries):
        owner.get(path)
