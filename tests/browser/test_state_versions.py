"""The versions of a state in a real browser: readable wide and narrow, in light and dark, and one click back."""

import os

import pytest
from django.urls import reverse

from sessions_app.models import SessionState, StaffUser
from sessions_app.services.drafts import StateDraft
from sessions_app.services.states import state_save
from tests.factories import default_project, make_session

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
SHOTS = os.environ.get("SCREENSHOTS")


def test_two_versions_are_compared_and_one_is_gone_back_to(screen, live_server, client, now):
    user = StaffUser.objects.create_superuser(username="ada", password="x")
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    cookie = {"name": "agentledger_login", "value": client.cookies["agentledger_login"].value, "url": live_server.url}
    screen.context.add_cookies([cookie])
    session = make_session(project=default_project(), session_id="parcel-1")
    for number, step in enumerate(("ask the carrier", "wait", "tell")):
        data = {"plan": ["ask", "tell"], "n": number, "note": "订单已发货。 " * 12, "long": "x" * 120}
        state_save(session=session, draft=StateDraft(current_step=step, iteration_count=number, data=data), now=now)
    page = live_server.url + reverse("admin:sessions_app_session_states", args=[session.pk])
    for scheme in ("light", "dark"):
        screen.emulate_media(color_scheme=scheme)
        for width in (1280, 390):
            screen.set_viewport_size({"width": width, "height": 900})
            screen.goto(page + "?back=1")
            screen.locator(".ledger-diff-added").first.wait_for()
            assert screen.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
            colours = {
                screen.locator(f".ledger-diff-{kind}").first.evaluate("line => getComputedStyle(line).backgroundColor")
                for kind in ("added", "removed", "same")
            }
            assert len(colours) == 3
            if SHOTS:
                screen.screenshot(path=f"{SHOTS}/states-{scheme}-{width}.png", full_page=True)
    screen.get_by_role("button", name="Yes, go back").click()
    screen.get_by_text("Version 1 is the state again, as version 4.").first.wait_for()
    assert SessionState.objects.current().get().current_step == "ask the carrier"
