"""The dashboard shows the sums of a period as charts and tables, of what the member of staff may see."""

import json
import re
from datetime import timedelta
from decimal import Decimal

import pytest
from django.contrib.auth.models import Group, Permission
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from analytics_app.selectors import response_times as times
from analytics_app.services.rollups import usage_roll_up
from sessions_app.models import StaffUser
from tests.factories import make_error, make_llm_call, make_session, make_token_usage

pytestmark = pytest.mark.django_db

ADDRESS = "/admin/analytics_app/modelusage/dashboard/"


def panels(client, **query):
    """Return what the page shows of the choice, by the panels' keys."""
    response = client.get(ADDRESS, query)
    assert response.status_code == 200
    return {panel.key: panel for panel in response.context["panels"]}


def told(panel):
    """Return the panel's table, as {row: {column: text}}."""
    return {step: dict(zip(panel.head, cells, strict=True)) for step, cells in panel.rows}


@pytest.fixture
def noon():
    return timezone.now()


@pytest.fixture
def work(project, noon):
    """A session of today with two models, an error and two timed calls, and one of yesterday that failed."""
    session = make_session(created_at=noon)
    usual = {"session": session, "timestamp": noon, "prompt_tokens": 0, "completion_tokens": 0}
    make_token_usage(model="gpt-4o", total_tokens=1200, cost=Decimal("0.5"), cost_status="reported", **usual)
    make_token_usage(model="claude", total_tokens=300, cost=None, cost_status="unknown", **usual)
    make_error(session=session, timestamp=noon, error_type="Timeout", severity="critical")
    make_llm_call(session=session, timestamp=noon, response_time=1.0)
    make_llm_call(session=session, timestamp=noon, response_time=3.0)
    make_session(created_at=noon - timedelta(days=1), status="failed")
    return session


def test_every_topic_has_its_figures_in_a_chart_and_in_a_table(staff_admin, work, noon):
    usage_roll_up(now=timezone.now())
    found, today = panels(staff_admin, days=7), f"{noon:%Y-%m-%d}"
    assert told(found["tokens"]) == {today: {"gpt-4o": "1,200", "claude": "300"}}
    assert told(found["costs"]) == {today: {"gpt-4o": "$0.50"}}
    assert told(found["sessions"]) == {"active": {"sessions": "1"}, "failed": {"sessions": "1"}}
    assert told(found["errors"]) == {today: {"critical": "1"}}
    assert told(found["error-types"]) == {"Timeout": {"errors": "1"}}
    assert told(found["times"]) == {today: {"half within": "1.00 s", "95 % within": "3.00 s"}}
    for panel in found.values():
        drawn = panel.chart
        assert [series["name"] for series in drawn["series"]] == panel.head
        assert {len(series["amounts"]) for series in drawn["series"]} == {len(drawn["labels"])}


def test_uses_that_no_roll_up_has_reached_are_there_and_those_without_a_price_are_counted(staff_admin, work):
    response = staff_admin.get(ADDRESS)
    tiles = {title: (figure, note) for title, figure, note in response.context["tiles"]}
    assert tiles["Tokens"] == ("1,500", "")
    assert tiles["Cost (USD)"] == ("$0.50", "1 use without a price")
    assert tiles["Response time, half / 95 %"] == ("1.00 s / 3.00 s", "")


def test_the_page_holds_what_its_script_draws_and_no_script_of_its_own(staff_admin, work):
    text = staff_admin.get(ADDRESS).content.decode()
    data = re.search(r'<script id="tokens-data" type="application/json">(.*?)</script>', text).group(1)
    assert [series["name"] for series in json.loads(data)["series"]] == ["gpt-4o", "claude"]
    assert "/static/ledger/charts.js" in text
    assert 'src="http' not in text


def test_an_empty_store_says_so_in_every_panel(staff_admin):
    response = staff_admin.get(ADDRESS)
    assert all(panel.is_empty for panel in response.context["panels"])
    assert response.content.decode().count("There is nothing in this period.") == len(response.context["panels"])


def test_models_beyond_the_sixth_are_one_series(staff_admin, noon):
    session = make_session()
    for number in range(1, 9):
        make_token_usage(session=session, timestamp=noon, model=f"model-{number}", total_tokens=number)
    (row,) = told(panels(staff_admin)["tokens"]).values()
    assert row == {**{f"model-{number}": str(number) for number in range(8, 2, -1)}, "2 others": "3"}


def test_a_long_period_is_shown_by_months_and_named_days_by_day(staff_admin):
    months = panels(staff_admin, **{"from": "2025-11-15", "to": "2026-03-14"})["tokens"]
    assert months.steps == ["2025-11", "2025-12", "2026-01", "2026-02", "2026-03"]
    days = panels(staff_admin, **{"from": "2024-02-28", "to": "2024-03-01"})["tokens"]
    assert days.steps == ["2024-02-28", "2024-02-29", "2024-03-01"]


@pytest.mark.parametrize(
    ("start", "end", "reason"),
    [
        ("yesterday", "", "A day is written as 2026-03-14."),
        ("2026-03-14", "2026-03-13", "The end lies after the start."),
        ("2024-01-01", "2026-01-01", "A period is 366 days long at the most."),
        ("0001-01-01", "0001-01-02", "A day is written as 2026-03-14."),
        ("", "0001-01-05", "A day is written as 2026-03-14."),
        ("9999-12-01", "9999-12-31", "A day is written as 2026-03-14."),
    ],
)
def test_days_that_make_no_sense_are_named_and_the_usual_period_is_shown(staff_admin, start, end, reason):
    response = staff_admin.get(ADDRESS, {"from": start, "to": end})
    assert response.context["choice"].days == 30
    assert reason in response.content.decode()


def test_one_project_can_be_chosen_but_none_behind_the_wall(staff_admin, work, project, other_project, noon):
    elsewhere = make_session(project=other_project, created_at=noon)
    make_token_usage(session=elsewhere, project=other_project, timestamp=noon, model="theirs", total_tokens=9)
    assert panels(staff_admin)["tokens"].head == ["gpt-4o", "claude", "theirs"]
    assert panels(staff_admin, project=other_project.pk)["tokens"].head == ["theirs"]
    user = StaffUser.objects.create_user(username="neighbour", is_staff=True)
    user.groups.add(Group.objects.get(name="Operator"))
    user.projects.add(other_project)
    neighbour = Client()
    neighbour.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    found = panels(neighbour)
    assert found["tokens"].head == ["theirs"]
    assert told(found["sessions"]) == {"active": {"sessions": "1"}}
    assert all(found[key].is_empty for key in ("errors", "error-types", "times"))
    assert neighbour.get(ADDRESS, {"project": project.pk}).status_code == 404
    assert neighbour.get(ADDRESS, {"project": "x"}).status_code == 404


def test_topics_without_a_right_are_left_out(project, work):
    user = StaffUser.objects.create_user(username="new", is_staff=True)
    user.projects.add(project)
    client = Client()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    assert client.get(ADDRESS).status_code == 403
    user.user_permissions.add(Permission.objects.get(codename="view_errorrecord"))
    assert set(panels(client)) == {"errors", "error-types"}


def test_nobody_sees_it_without_a_login(client):
    assert client.get(ADDRESS).status_code == 302


def test_the_page_takes_as_many_queries_for_much_as_for_little(staff_admin, work, noon):
    def queries() -> int:
        with CaptureQueriesContext(connection) as counted:
            staff_admin.get(ADDRESS, {"days": 90})
        return len(counted)

    staff_admin.get(ADDRESS)
    little = queries()
    for back in range(20):
        session, at = make_session(created_at=noon - timedelta(days=back)), noon - timedelta(days=back)
        make_token_usage(session=session, timestamp=at, model=f"model-{back}", total_tokens=1)
        make_error(session=session, timestamp=at, error_type=f"Error{back}")
        make_llm_call(session=session, timestamp=at, response_time=back)
    assert queries() == little


def test_of_very_many_calls_an_even_sample_is_looked_at_and_the_page_says_so(staff_admin, noon, monkeypatch):
    monkeypatch.setattr(times, "MOST_CALLS", 10)
    session = make_session()
    for number in range(40):
        make_llm_call(session=session, timestamp=noon, response_time=number)
    panel = panels(staff_admin)["times"]
    assert panel.notes == ["There are many calls: one in 4 of them was looked at."]
    (row,) = told(panel).values()
    assert abs(float(row["half within"].split()[0]) - 19.5) <= 4


def test_the_page_is_there_in_chinese(staff_admin, work):
    staff_admin.cookies["django_language"] = "zh-hans"
    text = staff_admin.get(ADDRESS).content.decode()
    for words in ("仪表板", "按模型统计的 token 数", "响应时间"):
        assert words in text
    assert "Sessions by status" not in text


def test_the_navigation_leads_to_it(analyst):
    assert reverse("admin:analytics_app_modelusage_dashboard") in analyst.get("/admin/").content.decode()
