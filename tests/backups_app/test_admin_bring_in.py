"""Staff bring in an older store in the admin: looked at first, then done by a job, once, and only with the right."""

import json
import os
import re
import tarfile
import zipfile
from datetime import timedelta
from io import BytesIO

import pytest
from django.contrib.auth.models import Group
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from backups_app.models import ImportRun
from backups_app.services.legacy_import import uploads_prune
from history_app.models import Message
from sessions_app.models import Job, Session, StaffUser
from sessions_app.services.jobs import job_run
from tests.samples.history_store import message, write_history, write_session
from tests.samples.plain_chats import CHAT, write

ASK = reverse("admin:backups_app_importrun_bring_in")


@pytest.fixture(autouse=True)
def kept_apart(settings, tmp_path):
    """The folders of this test: what is uploaded, and what lies on the server."""
    settings.DATA_DIR = tmp_path / "data"
    settings.IMPORT_DIR = tmp_path / "old"
    (tmp_path / "old").mkdir()


@pytest.fixture
def operator(client, project):
    user = StaffUser.objects.create_user(username="grace", is_staff=True)
    user.projects.add(project)
    user.groups.add(Group.objects.get(name="Operator"))
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client


def packed(root):
    body = BytesIO()
    with zipfile.ZipFile(body, "w") as archive:
        for path in root.rglob("*"):
            archive.write(path, path.relative_to(root.parent))
    return SimpleUploadedFile("store.zip", body.getvalue())


def history(root):
    write_session(root, "s1")
    write_history(root, "s1", [message("s1", 1), "broken"])
    return root


def ask(client, project, **chosen):
    given = {"project": project.pk, "source_format": "auto", "zone": "UTC", **chosen}
    return client.post(ASK, given)


def run_newest():
    """Do the newest job, as a worker would; return the address of its page."""
    job = Job.objects.filter(kind="imports.bring_in").latest("pk")
    job_run(job_id=job.pk)
    return reverse("admin:backups_app_importrun_brought", args=[job.pk])


def seen(client, page):
    return client.get(page).content.decode()


def is_a_sentence(text, tmp_path):
    """Whether a page tells what failed without the name of an error, a pointer, or where things lie on the server."""
    (problem,) = re.findall(r'<p class="[^"]*ledger-problem[^"]*"[^>]*>(.*?)</p>', text, re.DOTALL)
    return "Input" not in problem and "Error" not in problem and "/file" not in text and str(tmp_path) not in text


def uploads(tmp_path):
    root = tmp_path / "data/imports"
    return list(root.iterdir()) if root.exists() else []


def test_an_uploaded_folder_is_looked_at_and_then_brought_in_once(operator, project, tmp_path):
    answer = ask(operator, project, file=packed(history(tmp_path / "mine")))
    page = run_newest()
    assert answer.url == page
    text = seen(operator, page)
    assert "Yes, bring it in" in text
    assert "history/202610/s1.jsonl:2" in text
    assert not Session.objects.exists()
    assert not ImportRun.objects.exists()
    first, second = operator.post(page), operator.post(page)
    assert first.url == second.url
    assert run_newest() == first.url
    run = ImportRun.objects.get()
    assert (run.status, run.project, Message.objects.count()) == ("completed", project, 1)
    assert re.fullmatch(r"store\.zip \(upload [0-9a-f]{8}\)", run.source)
    text = seen(operator, first.url)
    assert reverse("admin:backups_app_importrun_change", args=[run.pk]) in text
    assert "Yes, bring it in" not in text
    # What came in is not kept twice.
    assert uploads(tmp_path) == []


@pytest.mark.parametrize("name", ["chats.json", "chats.jsonl", "chats.tar.gz"])
def test_one_file_is_enough(operator, project, tmp_path, name):
    path = write(tmp_path / ("chats.json" if "tar" in name else name), CHAT)
    if "tar" in name:
        with tarfile.open(tmp_path / name, "w:gz") as archive:
            archive.add(path, "chats.json")
    ask(operator, project, file=SimpleUploadedFile(name, (tmp_path / name).read_bytes()))
    operator.post(run_newest())
    run_newest()
    assert Message.objects.count() == len(CHAT)


def test_a_folder_on_the_server_is_chosen_by_its_path_and_stays(operator, project, tmp_path):
    history(tmp_path / "old/shop/store")
    assert "In it: shop." in seen(operator, ASK)
    ask(operator, project, path="shop/store")
    operator.post(run_newest())
    run_newest()
    assert Session.objects.get().session_id == "s1"
    assert ImportRun.objects.get().source == "shop/store"
    assert (tmp_path / "old/shop/store/sessions/s1.json").exists()


@pytest.mark.parametrize("path", ["..", "../old2", "/etc", ".", "nothing", "out", "a\0b", "x.zip"])
def test_no_path_leads_outside(operator, project, tmp_path, path):
    history(tmp_path / "old2")
    (tmp_path / "old/out").symlink_to(tmp_path / "old2")
    (tmp_path / "old/x.zip").write_bytes(b"PK")
    answer = ask(operator, project, path=path)
    if answer.status_code == 302:
        text = seen(operator, run_newest())
        assert re.search(r"nothing called|Unpack", text)
        assert is_a_sentence(text, tmp_path)
        assert "Yes, bring it in" not in text
    else:
        assert "\0" in path
    assert not Session.objects.exists()


@pytest.mark.parametrize(("name", "body", "word"), [
    ("store.zip", b"no zip", "not a zip"), ("notes.txt", b"hello", "No known store"), ("a.tgz", b"\x1f\x8b", "damaged"),
])  # fmt: skip
def test_what_is_no_store_is_told(operator, project, tmp_path, name, body, word):  # noqa: PLR0917
    ask(operator, project, file=SimpleUploadedFile(name, body))
    text = seen(operator, run_newest())
    assert word in text
    assert is_a_sentence(text, tmp_path)
    assert "Yes, bring it in" not in text
    assert Job.objects.get().state == "failed"


def test_what_the_system_refuses_is_told_without_its_paths(operator, project, tmp_path):
    history(tmp_path / "old/store")
    (tmp_path / "data").mkdir(exist_ok=True)
    (tmp_path / "data/reports").write_text("no folder")
    ask(operator, project, path="store")
    run_newest()
    assert Job.objects.get().error == "store could not be brought in: File exists."


def test_the_form_says_what_is_missing(operator, project, settings, tmp_path):
    neither = ask(operator, project).content.decode()
    both = ask(operator, project, path="x", file=SimpleUploadedFile("a.json", b"[]")).content.decode()
    assert "one of the two" in neither
    assert "one of the two" in both
    assert "no time zone" in ask(operator, project, path="x", zone="Mars/Olympus").content.decode()
    settings.IMPORT_DIR = None
    assert 'name="path"' not in seen(operator, ASK)
    assert "one of the two" in ask(operator, project, path="old").content.decode()
    assert not Job.objects.exists()
    assert uploads(tmp_path) == []


def test_only_who_may_import_and_only_into_a_project_of_theirs(client, operator, project, other_project, tmp_path):
    assert "Select a valid choice" in ask(operator, other_project, path="x").content.decode()
    ask(operator, project, path="x")
    page = run_newest()
    viewer = StaffUser.objects.create_user(username="eve", is_staff=True)
    viewer.projects.add(project)
    viewer.groups.add(Group.objects.get(name="Analyst"))
    outsider = StaffUser.objects.create_user(username="mallory", is_staff=True)
    outsider.projects.add(other_project)
    outsider.groups.add(Group.objects.get(name="Operator"))
    for user, status in ((viewer, 403), (outsider, 404)):
        client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
        assert client.get(page).status_code == status
        assert client.post(page).status_code == status
    client.force_login(viewer, backend="django.contrib.auth.backends.ModelBackend")
    assert client.get(ASK).status_code in (302, 403)
    assert "Bring in an older store" not in seen(client, reverse("admin:backups_app_importrun_changelist"))
    assert Job.objects.count() == 1


def test_uploads_that_nobody_brings_in_are_removed_after_a_week(operator, project, tmp_path, now):
    ask(operator, project, file=SimpleUploadedFile("a.json", json.dumps(CHAT).encode()))
    (folder,) = uploads(tmp_path)
    moment = now.timestamp()
    os.utime(folder, (moment, moment))
    assert uploads_prune(now=now + timedelta(days=6)) == 0
    assert uploads_prune(now=now + timedelta(days=8)) == 1
    assert uploads(tmp_path) == []
    text = seen(operator, run_newest())
    assert "send it again" in text
