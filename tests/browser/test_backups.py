"""Backups in a real browser: made, looked at before a restore, and restored; wide and narrow, light and dark."""

import os

import pytest
from django.urls import reverse
from django.utils import timezone

from backups_app.models import Backup, Restore
from backups_app.services.backups import backup_create
from backups_app.services.backups.runs import backup_begin, backup_fail
from config.generated_secrets import new_backup_signing_key
from sessions_app.models import Job, Session, StaffUser
from sessions_app.services.jobs import job_run
from tests.factories import make_backup, make_message, make_session

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
SHOTS = os.environ.get("SCREENSHOTS")


@pytest.fixture(autouse=True)
def _folders(settings, tmp_path):
    settings.BACKUP_DIR = tmp_path / "backups"
    settings.BACKUP_SIGNING_KEY = new_backup_signing_key()


@pytest.fixture
def shown(screen, live_server, client):
    """Open a page of the admin in light and dark, wide and narrow; nothing runs out of it."""
    user = StaffUser.objects.create_superuser(username="ada", password="x")
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    cookie = {"name": "agentledger_login", "value": client.cookies["agentledger_login"].value, "url": live_server.url}
    screen.context.add_cookies([cookie])

    def show(name: str, address: str, text: str) -> None:
        for scheme in ("light", "dark"):
            screen.emulate_media(color_scheme=scheme)
            for width in (390, 1280):
                screen.set_viewport_size({"width": width, "height": 900})
                screen.goto(live_server.url + address)
                screen.get_by_text(text).first.wait_for()
                assert screen.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
                if SHOTS:
                    screen.screenshot(path=f"{SHOTS}/{name}-{scheme}-{width}.png", full_page=True)

    return show


def _run_all() -> None:
    for pk in Job.objects.open().order_by("id").values_list("pk", flat=True):
        assert job_run(job_id=pk) == "succeeded"


def _failure() -> None:
    now = timezone.now()
    backup_fail(
        backup=backup_begin(name="nightly", trigger="schedule", requested_by="system: system", now=now),
        cause="The archive cannot be written: No space left on device (/backups/.nightly.partial).",
        now=now,
    )


def test_from_the_first_backup_to_a_restore(screen, shown, live_server):
    listed = reverse("admin:backups_app_backup_changelist")
    shown("backups-empty", listed, "There is no verified backup yet.")
    make_session(title="A parcel is late")
    screen.get_by_label("Name (optional)").fill("mine")
    screen.get_by_role("button", name="Make a backup now").click()
    screen.get_by_text("A backup has been asked for.").wait_for()
    Job.objects.update(
        state="running", fence=1, progress_done=31, progress_total=40, progress_text="history_app.message"
    )
    shown("backups-running", listed, "history_app.message")
    Job.objects.update(state="queued", fence=0)
    _run_all()
    make_backup(name="older", encrypted=True, protected=True, size_bytes=48_000_000, row_count=1_200_000)
    _failure()
    shown("backups-list", listed, "nightly is not good:")
    shown("backups-front", "/admin/", "nightly is not good:")
    backup = Backup.objects.get(name="mine")
    shown("backups-one", reverse("admin:backups_app_backup_change", args=[backup.pk]), "Restore…")
    screen.get_by_role("link", name="Restore…").click()
    screen.get_by_role("button", name="Look what it would do").click()
    restore = reverse("admin:backups_app_backup_restore", args=[backup.pk])
    shown("backups-looking", restore, "It is being looked at")
    Session.objects.update(title="changed")
    _run_all()
    shown("backups-restore", restore, "What a restore would do")
    screen.get_by_label("Type mine to go on:").fill("mine")
    screen.get_by_role("button", name="Replace it all").click()
    screen.get_by_text("The restore has been asked for.").wait_for()
    shown("backups-restores", reverse("admin:backups_app_restore_changelist"), "only looked at")
    _run_all()
    assert Session.objects.get().title == "A parcel is late"
    assert Restore.objects.filter(status="completed").count() == 1
    # Logins are those of the backup: none.
    screen.goto(live_server.url + listed)
    assert "/admin/login/" in screen.url


def test_a_part_comes_back(screen, shown):
    session = make_session(session_id="support-261103-142210-19be", user_id="ada", title="A parcel is late")
    make_message(session=session)
    now = timezone.now()
    backup = backup_create(name="mine", trigger="command", requested_by="", now=now)
    Session.objects.update(title="changed")
    make_message(session=session)
    page = reverse("admin:backups_app_backup_restore_part", args=[backup.pk])
    shown("part-form", page, "Everything else in the store stays as it is.")
    screen.get_by_label("Its id").fill("support-000000")
    screen.get_by_role("button", name="Look what it would do").click()
    screen.get_by_text("The backup holds no session").wait_for()
    if SHOTS:
        screen.screenshot(path=f"{SHOTS}/part-wrong.png", full_page=True)
    screen.get_by_label("Its id").fill(session.session_id)
    screen.get_by_label("Where an id is taken").select_option("replace")
    screen.get_by_role("button", name="Look what it would do").click()
    screen.get_by_text("It is being looked at").wait_for()
    _run_all()
    shown("part-look", page, "Replace what is there now?")
    screen.get_by_label("Type mine to go on:").fill("mine")
    screen.get_by_role("button", name="Replace it").click()
    screen.get_by_text("The restore has been asked for.").wait_for()
    _run_all()
    assert Session.objects.kept().get().title == "A parcel is late"
    done = Restore.objects.get(status="completed")
    shown("part-done", reverse("admin:backups_app_restore_change", args=[done.pk]), "a part of this store")
