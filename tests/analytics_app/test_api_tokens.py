"""Token figures, costs and prices over the API."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.utils import timezone

from analytics_app.services import own_prices
from analytics_app.services.rollups import usage_roll_up
from tests.factories import make_session, make_token_usage

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _nothing_remembered():
    own_prices._kept.clear()
    yield
    own_prices._kept.clear()


def used(session, at, tokens, **fields):
    cost = fields.pop("cost", None)
    status = "unknown" if cost is None else "reported"
    usual = {"model": "gpt-4o", "prompt_tokens": tokens, "completion_tokens": 0}
    return make_token_usage(
        session=session, timestamp=at, total_tokens=tokens, cost=cost, cost_status=status, **{**usual, **fields}
    )


@pytest.fixture
def noon():
    """The present day's beginning in UTC."""
    return timezone.now().replace(hour=0, minute=0, second=0, microsecond=0)


def test_the_days_come_with_their_models_users_and_cost(owner, project, noon):
    session = make_session()
    used(session, noon - timedelta(days=1), 10, user_id="ada", cost=Decimal("0.1"))
    used(session, noon - timedelta(days=1), 5, user_id="bo", model="claude", cost=Decimal("0.2"))
    used(session, noon, 7, user_id="")
    usage_roll_up(now=timezone.now())
    before, yesterday, today = owner.get("/api/analytics/tokens/daily/", {"days": 3}).json()
    assert (before["total_tokens"], before["cost"], before["user_count"]) == (0, "0", 0)
    assert (yesterday["total_tokens"], yesterday["cost"], yesterday["user_count"]) == (15, "0.3", 2)
    assert yesterday["model_usage"] == {"gpt-4o": 10, "claude": 5}
    assert (today["total_tokens"], today["cost"], today["unpriced"], today["user_count"]) == (7, "0", 1, 0)


def test_a_use_counts_the_moment_it_is_recorded(owner, project):
    usage = {"session_id": make_session().session_id, "model": "gpt-4o", "prompt_tokens": 3, "completion_tokens": 4}
    for wanted in (7, 14):
        owner.post("/api/token-usage/", usage)
        assert owner.get("/api/analytics/tokens/daily/", {"days": 1}).json()[0]["total_tokens"] == wanted


def test_days_are_those_of_the_callers_zone(owner, project):
    at = datetime(2026, 3, 13, 20, 0, tzinfo=UTC)
    used(make_session(), at, 9, user_id="ada")
    ranking = "/api/analytics/tokens/ranking/"
    assert owner.get(ranking, {"date": "2026-03-14"}).json() == []
    (row,) = owner.get(ranking, {"date": "2026-03-14", "tz": "Asia/Shanghai"}).json()
    assert (row["rank"], row["user_id"], row["total_tokens"]) == (1, "ada", 9)


def test_the_ranking_names_the_users_with_the_most_tokens(owner, project, noon):
    session = make_session()
    for user, tokens in (("ada", 5), ("bo", 9), ("cy", 9)):
        used(session, noon, tokens, user_id=user)
    rows = owner.get("/api/analytics/tokens/ranking/", {"top": 2}).json()
    assert [(row["rank"], row["user_id"], row["total_tokens"]) for row in rows] == [(1, "bo", 9), (2, "cy", 9)]


def test_the_months_end_with_this_one(owner, project, noon):
    used(make_session(), noon, 4)
    months = owner.get("/api/analytics/tokens/monthly/", {"months": 2}).json()
    assert [month["total_tokens"] for month in months] == [0, 4]
    assert months[1]["month"] == f"{noon:%Y-%m}"


def test_the_dashboard_sets_today_beside_yesterday(owner, project, noon):
    session = make_session()
    answer = owner.get("/api/analytics/dashboard/").json()
    assert (answer["today_tokens"], answer["growth_rate"]) == (0, None)
    used(session, noon - timedelta(hours=1), 10)
    used(session, noon, 15, user_id="ada")
    answer = owner.get("/api/analytics/dashboard/").json()
    assert (answer["today_tokens"], answer["yesterday_tokens"], answer["growth_rate"]) == (15, 10, 50.0)
    assert (answer["model_usage"], answer["user_count"]) == ({"gpt-4o": 15}, 1)


@pytest.mark.parametrize(
    ("by", "wanted"),
    [
        ("model", [("gpt-4o", "0.3"), ("claude", "0.1")]),
        ("user", [("ada", "0.4")]),
        ("session", [("s-2", "0.3"), ("s-1", "0.1")]),
        ("day", [("2026-03-01", "0.1"), ("2026-03-02", "0.3")]),
    ],
)
def test_costs_are_cut_as_asked(owner, project, by, wanted):
    start = datetime(2026, 3, 1, tzinfo=UTC)
    used(make_session(session_id="s-1"), start, 1, user_id="ada", model="claude", cost=Decimal("0.1"))
    used(make_session(session_id="s-2"), start + timedelta(days=1), 1, user_id="ada", cost=Decimal("0.3"))
    used(make_session(session_id="s-3"), start + timedelta(days=2), 1, user_id="ada", cost=Decimal(9))
    period = {"start": "2026-03-01T00:00:00Z", "end": "2026-03-03T00:00:00Z"}
    answer = owner.get("/api/analytics/costs/", {"by": by, **period}).json()
    name = {"model": "model", "user": "user_id", "session": "session_id", "day": "date"}[by]
    assert [(group[name], group["cost"]) for group in answer["groups"]] == wanted
    assert (answer["total"]["cost"], answer["total"]["uses"]) == ("0.4", 2)


def test_sessions_of_one_id_in_two_projects_stay_two(staff_admin, project, other_project):
    for owner_of_it, cost in ((project, "0.1"), (other_project, "0.3")):
        session = make_session(project=owner_of_it, session_id="s-1")
        used(session, datetime(2026, 3, 1, tzinfo=UTC), 1, cost=Decimal(cost))
    period = {"start": "2026-03-01T00:00:00Z", "end": "2026-03-02T00:00:00Z"}
    groups = staff_admin.get("/api/analytics/costs/", {"by": "session", **period}).json()["groups"]
    assert [(group["session_id"], group["cost"]) for group in groups] == [("s-1", "0.3"), ("s-1", "0.1")]


@pytest.mark.parametrize("path", ["tokens/daily", "tokens/monthly", "tokens/ranking", "dashboard", "costs"])
def test_an_outsider_sees_nothing_of_it(owner, outsider, anonymous, noon, *, path):
    used(make_session(), noon, 5, user_id="ada", cost=Decimal(1))
    mine, others = (client.get(f"/api/analytics/{path}/") for client in (owner, outsider))
    assert mine.status_code == others.status_code == 200
    assert "5" in str(mine.json())
    assert "ada" not in str(others.json())
    assert mine.json() != others.json()
    assert anonymous.get(f"/api/analytics/{path}/").status_code == 401


@pytest.mark.parametrize(
    ("path", "parameters", "pointer"),
    [
        ("tokens/daily", {"days": "0"}, "/days"),
        ("tokens/daily", {"days": "367"}, "/days"),
        ("tokens/daily", {"tz": "Mars/Olympus"}, "/tz"),
        ("tokens/daily", {"tz": "../../etc/passwd"}, "/tz"),
        ("tokens/monthly", {"months": "x"}, "/months"),
        ("tokens/ranking", {"date": "14.3.2026"}, "/date"),
        ("tokens/ranking", {"date": "0001-01-01"}, "/date"),
        ("tokens/ranking", {"date": "20260314"}, "/date"),
        ("tokens/ranking", {"date": "2026-W11-6"}, "/date"),
        ("tokens/ranking", {"top": "1001"}, "/top"),
        ("costs", {"by": "colour"}, "/by"),
        ("costs", {"start": "yesterday"}, "/start"),
        ("costs", {"start": "2026-03-02", "end": "2026-03-01"}, "/end"),
        ("costs", {"start": "2024-01-01T00:00:00Z", "end": "2026-01-01T00:00:00Z"}, "/start"),
        ("costs", {"start": "1900-01-01T00:00:00Z", "end": "1900-02-01T00:00:00Z"}, "/end"),
        ("dashboard", {"days": "1"}, "/days"),
    ],
)
def test_what_makes_no_sense_is_refused_by_name(owner, path, parameters, pointer):
    answer = owner.get(f"/api/analytics/{path}/", parameters)
    assert answer.status_code == 400
    assert pointer in [error["pointer"] for error in answer.json()["errors"]]


PRICE = {"model": "house-1", "input_mtok": "2", "output_mtok": "8", "valid_from": "2026-01-01T00:00:00Z"}


def test_a_price_of_ones_own_is_made_used_changed_and_removed(operator, project):
    made = operator.post("/api/model-prices/", PRICE)
    assert made.status_code == 201
    usage = {"session_id": make_session().session_id, "model": "house-1", "prompt_tokens": 1000}
    priced = operator.post("/api/token-usage/", {**usage, "completion_tokens": 0}).json()
    assert (priced["cost"], priced["cost_status"]) == ("0.002", "computed")
    path = f"/api/model-prices/{made.json()['id']}/"
    assert operator.patch(path, {"input_mtok": "3"}).json()["input_mtok"] == "3.00000000"
    assert operator.post("/api/model-prices/", PRICE).status_code == 409
    assert operator.delete(path).status_code == 204
    assert operator.get("/api/model-prices/").json()["results"] == []


def test_prices_are_for_keepers_and_within_walls(operator, agent, outsider, project):
    assert agent.post("/api/model-prices/", PRICE).status_code == 403
    made = operator.post("/api/model-prices/", PRICE).json()
    assert outsider.get(f"/api/model-prices/{made['id']}/").status_code == 404


@pytest.mark.parametrize("change", [{"input_mtok": "-1"}, {"model": ""}, {"output_mtok": None}, {"input_mtok": "x"}])
def test_a_senseless_price_is_refused(operator, change):
    (name,) = change
    answer = operator.post("/api/model-prices/", {**PRICE, **change})
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, f"/{name}")
