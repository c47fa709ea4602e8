"""The overview over the API."""

import pytest

pytestmark = pytest.mark.django_db

PATH = "/api/analytics/overview/"


def test_the_owner_sees_what_came_in_today(owner):
    owner.post("/api/sessions/", {"session_id": "s-1"})
    owner.post("/api/sessions/s-1/messages/", [{"role": "user", "content": "a"}, {"role": "user", "content": "b"}])
    usage = {"session_id": "s-1", "model": "m", "prompt_tokens": 5, "completion_tokens": 2}
    for cost in ("0.1", "0.2"):
        owner.post("/api/token-usage/", {**usage, "reported_cost": cost})
    answer = owner.get(PATH, {"days": 3}).json()
    (shown,) = answer["projects"]
    totals = shown["totals"]
    assert (totals["sessions"], totals["messages"], totals["total_tokens"]) == (1, 2, 14)
    assert totals["cost"] == "0.3"
    assert [day["messages"] for day in shown["days"]] == [0, 0, 2]
    assert shown["days"][-1]["date"] == answer["end"]


@pytest.mark.parametrize(
    ("costs", "sum_of_them"),
    [
        (["0.001045", "0.001000"], "0.002045"),
        (["0.000"], "0"),
        (["90.5", "9.5"], "100"),
        (["123456789012.123456789012345678901234", "0.000000000001"], "123456789012.123456789013345678901234"),
    ],
)
def test_every_answer_writes_the_same_money_in_the_same_way(owner, costs, sum_of_them):
    owner.post("/api/sessions/", {"session_id": "s-1"})
    usage = {"session_id": "s-1", "model": "m", "prompt_tokens": 5, "completion_tokens": 2}
    for cost in costs:
        owner.post("/api/token-usage/", {**usage, "reported_cost": cost})
    (shown,) = owner.get(PATH).json()["projects"]
    told = [shown["totals"], shown["days"][-1], owner.get("/api/analytics/costs/").json()["total"]]
    assert [each["cost"] for each in told] == [sum_of_them] * 3
    assert owner.get("/api/analytics/dashboard/").json()["today_cost"] == sum_of_them
    assert owner.get("/api/sessions/s-1/statistics/").json()["total_cost"] == sum_of_them


def test_nothing_costs_0(owner):
    (shown,) = owner.get(PATH).json()["projects"]
    assert {day["cost"] for day in [shown["totals"], *shown["days"]]} == {"0"}
    assert owner.get("/api/analytics/costs/").json()["total"]["cost"] == "0"


def test_an_outsider_sees_only_its_own_project(owner, outsider):
    owner.post("/api/sessions/", {"session_id": "s-1"})
    (shown,) = outsider.get(PATH).json()["projects"]
    assert (shown["project"], shown["totals"]["sessions"], len(shown["days"])) == ("other", 0, 30)


@pytest.mark.parametrize("days", ["0", "93", "x", "-1", "1.5", "9" * 40, "٣"])
def test_a_senseless_number_of_days_is_refused(owner, days):
    answer = owner.get(PATH, {"days": days})
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, "/days")


def test_an_unknown_parameter_is_refused(owner):
    assert owner.get(PATH, {"weeks": "1"}).status_code == 400


def test_nobody_comes_in_without_a_key(anonymous):
    assert anonymous.get(PATH).status_code == 401


def test_staff_may_ask_for_one_project(staff_admin, other_project):
    assert len(staff_admin.get(PATH).json()["projects"]) == 2
    assert [row["project"] for row in staff_admin.get(PATH, {"project": "other"}).json()["projects"]] == ["other"]
