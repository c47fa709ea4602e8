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
