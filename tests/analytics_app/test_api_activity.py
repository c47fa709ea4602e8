"""Performance, sessions in figures and what is stored, over the API."""

from datetime import datetime, timedelta

import pytest
from django.core.cache import cache

from tests.factories import NOW, make_error, make_llm_call, make_message, make_metric, make_session, make_tool_call

pytestmark = pytest.mark.django_db

PERIOD = {"start": NOW.isoformat().replace("+00:00", "Z"), "end": "2026-03-15T00:00:00Z"}


@pytest.fixture(autouse=True)
def _nothing_cached():
    cache.clear()


def test_performance_is_that_of_the_period(owner, project):
    session = make_session(session_id="s-1")
    for seconds in (1.0, 3.0):
        make_llm_call(session=session, timestamp=NOW, response_time=seconds)
    make_llm_call(session=session, timestamp=NOW - timedelta(seconds=1), response_time=99)
    make_tool_call(session=make_session(session_id="s-2"), timestamp=NOW, execution_time=0.5)
    for _ in range(4):
        make_message(session=session, timestamp=NOW)
    make_error(session=session, timestamp=NOW)
    make_metric(session=session, timestamp=NOW, metric_type="cpu", metric_value=0.25)
    answer = owner.get("/api/analytics/performance/", PERIOD).json()
    assert (answer["request_count"], answer["avg_response_time"], answer["p99_response_time"]) == (2, 2.0, 3.0)
    assert (answer["tool_call_count"], answer["max_execution_time"], answer["error_rate"]) == (1, 0.5, 0.25)
    assert answer["metrics"] == [{"metric_type": "cpu", "count": 1, "average": 0.25, "least": 0.25, "greatest": 0.25}]
    of_one = owner.get("/api/analytics/performance/", {**PERIOD, "session_id": "s-2"}).json()
    assert (of_one["session_id"], of_one["request_count"], of_one["tool_call_count"]) == ("s-2", 0, 1)
    assert owner.get("/api/analytics/performance/", {**PERIOD, "session_id": "none"}).status_code == 404


def test_sessions_are_counted_by_how_they_ended(owner, project):
    for place, status in enumerate(("completed", "completed", "completed", "failed", "active")):
        session = make_session(status=status, created_at=NOW + timedelta(hours=place))
        session.activity.last_activity_at = session.created_at + timedelta(seconds=10 * place)
        session.activity.save()
    make_session(created_at=NOW - timedelta(seconds=1))
    make_error(timestamp=NOW + timedelta(hours=1), session=make_session(created_at=NOW - timedelta(days=1)))
    answer = owner.get("/api/analytics/sessions/", PERIOD).json()
    assert (answer["total_sessions"], answer["active_sessions"], answer["success_rate"]) == (5, 1, 75.0)
    assert (answer["average_duration"], answer["error_count"]) == (20.0, 1)
    assert answer["by_status"]["paused"] == 0
    assert answer["by_day"] == [{"date": "2026-03-14", "count": 5}]
    in_tokyo = owner.get("/api/analytics/sessions/", {**PERIOD, "tz": "Asia/Tokyo"}).json()
    assert [day["date"] for day in in_tokyo["by_day"]] == ["2026-03-14"]


def test_days_are_those_of_the_zone_also_where_its_clocks_change(owner, project):
    # New York: clocks go forward on 2026-03-08 at 07:00 UTC and back on 2026-11-01 at 06:00 UTC.
    moments = [
        "03-08T04:59:59",
        "03-08T05:00:00",
        "03-09T03:59:59",
        "03-09T04:00:00",
        "11-01T03:59:59",
        "11-01T04:00:00",
    ]
    moments += ["11-02T04:59:59", "11-02T05:00:00"]
    for moment in moments:
        make_session(created_at=datetime.fromisoformat(f"2026-{moment}+00:00"))
    asked = {"start": "2026-03-01T00:00:00Z", "end": "2026-12-01T00:00:00Z", "tz": "America/New_York"}
    days = owner.get("/api/analytics/sessions/", asked).json()["by_day"]
    counted = [("2026-03-07", 1), ("2026-03-08", 2), ("2026-03-09", 1)]
    counted += [("2026-10-31", 1), ("2026-11-01", 2), ("2026-11-02", 1)]
    assert [(day["date"], day["count"]) for day in days] == counted


def test_nothing_yet_is_no_failure(owner, project):
    performance = owner.get("/api/analytics/performance/").json()
    assert (performance["request_count"], performance["p95_response_time"], performance["error_rate"]) == (0, 0, 0)
    assert owner.get("/api/analytics/sessions/").json()["success_rate"] is None


def test_what_is_stored_is_told_by_kind(owner, outsider, project):
    make_message()
    kinds = {kind["kind"]: kind for kind in owner.get("/api/analytics/storage/").json()["kinds"]}
    assert kinds["message"] == {"kind": "message", "count": 1, "exact": True}
    theirs = {kind["kind"]: kind for kind in outsider.get("/api/analytics/storage/").json()["kinds"]}
    assert theirs["message"]["count"] == 0


@pytest.mark.parametrize("path", ["performance", "sessions"])
def test_an_outsider_sees_nothing_of_it(outsider, project, path):
    session = make_session(created_at=NOW)
    make_llm_call(session=session, timestamp=NOW)
    answer = outsider.get(f"/api/analytics/{path}/", PERIOD).json()
    assert answer.get("request_count", answer.get("total_sessions")) == 0
    assert outsider.get(f"/api/analytics/{path}/", {"end": "2026"}).status_code == 400
