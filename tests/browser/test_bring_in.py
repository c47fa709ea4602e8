"""Bringing in an older store in a real browser: readable wide and narrow, and a few clicks from file to import run."""

import os

import pytest
from django.urls import reverse

from backups_app.models import ImportRun
from sessions_app.models import Job, StaffUser
from sessions_app.services.jobs import job_run
from tests.factories import default_project
from tests.samples.history_store import message, write_history, write_session

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
SHOTS = os.environ.get("SCREENSHOTS")


def looked_at(screen, name):
    """Look at the page wide and narrow, in light and dark: nothing is wider than the window."""
    for scheme in ("light", "dark"):
        screen.emulate_media(color_scheme=scheme)
        screen.reload()
        for width in (1280, 390):
            screen.set_viewport_size({"width": width, "height": 900})
            assert screen.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
            if SHOTS:
                screen.screenshot(path=f"{SHOTS}/{name}-{scheme}-{width}.png", full_page=True)


def test_a_store_is_looked_at_and_brought_in(screen, live_server, client, settings, tmp_path):
    settings.DATA_DIR, settings.IMPORT_DIR = tmp_path / "data", tmp_path / "old"
    store = tmp_path / "old" / "shop"
    for number in range(3):
        write_session(store, f"s{number}")
        records = [message(f"s{number}", 1), "broken " * 40, {**message(f"s{number}", 2), "timestamp": "yesterday"}]
        write_history(store, f"s{number}", records)
    default_project()
    user = StaffUser.objects.create_superuser(username="ada", password="x")
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    cookie = {"name": "agentledger_login", "value": client.cookies["agentledger_login"].value, "url": live_server.url}
    screen.context.add_cookies([cookie])
    screen.goto(live_server.url + reverse("admin:backups_app_importrun_changelist"))
    screen.get_by_text("Bring in an older store").first.click()
    screen.get_by_label("Or a path on the server").wait_for()
    looked_at(screen, "bring-in")
    screen.get_by_label("Or a path on the server").fill("shop")
    screen.get_by_role("button", name="Look first").click()
    screen.get_by_text("The store is being looked at.").wait_for()
    looked_at(screen, "being-looked-at")
    job_run(job_id=Job.objects.get().pk)
    # The page looks again by itself.
    screen.get_by_role("button", name="Yes, bring it in").wait_for()
    looked_at(screen, "looked-at")
    screen.get_by_role("button", name="Yes, bring it in").click()
    screen.get_by_text("The store is coming in.").wait_for()
    job_run(job_id=Job.objects.latest("pk").pk)
    screen.get_by_role("link", name="The import run").click()
    screen.get_by_text("Reconciliation").first.wait_for()
    looked_at(screen, "import-run")
    assert ImportRun.objects.get().status == "completed"
