"""Staff at work in a real browser: scripts run, the content security policy holds, pages work without scripts."""

import pytest
from django.utils import timezone

from history_app.models import Message
from sessions_app.models import AuditEntry, StaffUser
from tests.admin_rows import page as address_of
from tests.factories import default_project, make_message, make_session, make_token_usage, make_tool_call

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

PASSWORD = "correct horse battery staple"


@pytest.fixture
def site(chromium, live_server, transactional_db):
    """The site with a member of staff, and a session of one question, one tool call and one answer."""
    default_project()
    StaffUser.objects.create_superuser(username="ada", password=PASSWORD)
    session = make_session(title="A parcel is late")
    make_message(session=session, content="Where is my order?")
    make_tool_call(session=session, tool_name="lookup_order", tool_output={"state": "in the van"})
    make_message(session=session, role="assistant", content="It is on its way.")
    live_server.session = session
    return live_server


def log_in(screen, site) -> None:
    screen.goto(f"{site.url}/admin/")
    screen.fill("input[name=username]", "ada")
    screen.fill("input[name=password]", PASSWORD)
    screen.keyboard.press("Enter")
    screen.wait_for_url(f"{site.url}/admin/")


def test_staff_read_a_conversation_edit_a_record_and_find_it_in_the_audit_log(screen, site):
    log_in(screen, site)
    screen.locator("a[href='/admin/sessions_app/session/']").first.click()
    screen.get_by_text("A parcel is late").click()
    screen.wait_for_url(f"{site.url}{address_of(site.session, 'conversation')}")

    output = screen.get_by_text("in the van")
    assert not output.is_visible()
    screen.get_by_text("lookup_order").click()
    assert output.is_visible()

    screen.get_by_role("link", name="#2").click()
    screen.get_by_role("link", name="Edit", exact=True).click()
    screen.get_by_role("alert").wait_for()
    screen.fill("textarea[name=content]", "It arrives tomorrow.")
    screen.get_by_role("button", name="Save", exact=True).click()
    screen.wait_for_url("**/history_app/message/")
    assert Message.objects.get(sequence=2).content == "It arrives tomorrow."

    entry = AuditEntry.objects.get(action="message.update")
    screen.goto(f"{site.url}{address_of(entry, 'change')}")
    assert screen.get_by_text("message.update").first.is_visible()
    assert screen.get_by_text("ada").first.is_visible()


def test_the_keyboard_walks_through_a_conversation(screen, site):
    log_in(screen, site)
    screen.goto(f"{site.url}{address_of(site.session, 'conversation')}")
    screen.keyboard.press("j")
    screen.keyboard.press("j")
    focused = screen.evaluate("document.activeElement.innerText")
    assert "on its way" in focused or "lookup_order" in focused
    screen.keyboard.press("j")
    screen.keyboard.press("o")
    assert screen.evaluate("document.querySelectorAll('.ledger-call[open]').length") == 1


def test_the_language_is_switched_in_the_page(screen, site):
    log_in(screen, site)
    screen.evaluate(
        """() => {
            const form = document.querySelector('input[name=language][value=zh-hans]').closest('form');
            form.querySelector('button').click();
        }"""
    )
    screen.get_by_text("最新会话").wait_for()
    assert screen.evaluate("document.documentElement.lang") == "zh-hans"


def test_the_dashboard_draws_its_charts_and_follows_the_theme(screen, site):
    make_token_usage(session=site.session, timestamp=timezone.now(), model="gpt-4o", total_tokens=1200)
    log_in(screen, site)
    screen.goto(f"{site.url}/admin/analytics_app/modelusage/dashboard/")
    drawn = "Chart.getChart(document.querySelector('canvas[data-chart=tokens-data]'))"
    assert screen.evaluate(f"{drawn}.data.datasets.map(each => each.label)") == ["gpt-4o"]
    light = screen.evaluate(f"{drawn}.data.datasets[0].backgroundColor")
    screen.evaluate("document.documentElement.classList.toggle('dark')")
    screen.wait_for_function(f"{drawn}.data.datasets[0].backgroundColor !== '{light}'")
    assert screen.get_by_role("cell", name="1,200").first.is_visible()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_pages_fit_a_narrow_screen(profile, site, theme):
    narrow = profile(viewport={"width": 390, "height": 844}, color_scheme=theme).new_page()
    log_in(narrow, site)
    make_message(session=site.session, content="x" * 500)
    make_token_usage(session=site.session, timestamp=timezone.now(), model="m" * 80, total_tokens=1200)
    dashboard = "/admin/analytics_app/modelusage/dashboard/"
    for address in ("/admin/", dashboard, "/admin/sessions_app/session/", address_of(site.session, "conversation")):
        narrow.goto(f"{site.url}{address}")
        narrow.wait_for_load_state("networkidle")
        assert narrow.evaluate("document.documentElement.scrollWidth") <= 390, address


def test_a_conversation_is_read_without_scripts(profile, screen, site):
    log_in(screen, site)
    known = screen.context.storage_state()
    without = profile(java_script_enabled=False, storage_state=known).new_page()
    without.goto(f"{site.url}{address_of(site.session, 'conversation')}")
    assert without.get_by_text("Where is my order?").is_visible()
    without.get_by_text("lookup_order").click()
    assert without.get_by_text("in the van").is_visible()
