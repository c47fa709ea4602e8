"""Figures over the API: of one session, and of tool calls and errors, over all records and the same everywhere."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from tests.factories import make_session
from tests.history_app.records import record, write

pytestmark = pytest.mark.django_db

TOOLS = "/api/tool-calls/statistics/"
ERRORS = "/api/errors/statistics/"
DAYS = ("2026-03-01T12:00:00Z", "2026-03-02T12:00:00Z")


@pytest.fixture
def work(project, now):
    """A session with messages, calls, tokens, costs and one error, over ten minutes."""
    records = [
        *[record("message", f"m-{n}", timestamp=f"2026-03-01T12:{n:02}:00Z") for n in range(8)],
        record("message", "m-8", role="assistant", timestamp="2026-03-01T12:08:30Z"),
        record("tool_call", "t-1", execution_time=0.5),
        record("tool_call", "t-2", success=False, execution_time=1.5),
        *[record("llm_request", f"q-{n}", request_id=f"call-{n}") for n in range(3)],
        record("llm_response", "p-0", request_id="call-0", response_time=1.0),
        record("llm_response", "p-1", request_id="call-1", response_time=2.5, timestamp="2026-03-01T12:10:00Z"),
        record("llm_response", "p-2", request_id="call-2", response_time=None),
        record("token_usage", "u-1", total_tokens=100, prompt_tokens=80),
        record("token_usage", "u-2", total_tokens=20),
        record("cost", "c-1", total_tokens=20, total_cost="0.1"),
        record("cost", "c-2", total_tokens=999, total_cost="0.2"),
        record("error", "e-1"),
    ]
    write(project, records, now)


def test_the_summary_of_a_session(owner, work):
    assert owner.get("/api/sessions/s-1/summary/").json() == {
        "session_id": "s-1",
        "message_count": 9,
        "start_time": "2026-03-01T12:00:00Z",
        "end_time": "2026-03-01T12:08:30Z",
        "duration": 510.0,
    }


def test_the_statistics_of_a_session_count_every_record(owner, work):
    assert owner.get("/api/sessions/s-1/statistics/").json() == {
        "session_id": "s-1",
        "total_messages": 9,
        "total_tool_calls": 2,
        "total_llm_calls": 3,
        "total_errors": 1,
        "start_time": "2026-03-01T12:00:00Z",
        "end_time": "2026-03-01T12:10:00Z",
        "duration_seconds": 600.0,
        "success_rate": pytest.approx(800 / 9),
        "total_prompt_tokens": 180,
        "total_completion_tokens": 40,
        "total_tokens": 120,
        "total_cost": "0.3004",
        "messages_by_role": {"assistant": 1, "user": 8},
        "records_by_type": {
            "message": 9,
            "llm_request": 3,
            "llm_response": 3,
            "token_usage": 2,
            "cost": 2,
            "tool_call": 2,
            "error": 1,
            "metric": 0,
        },
    }


def test_the_performance_of_a_session(owner, work):
    found = owner.get("/api/sessions/s-1/performance/").json()
    assert found == {
        "session_id": "s-1",
        "request_count": 2,
        "avg_response_time": 1.75,
        "min_response_time": 1.0,
        "max_response_time": 2.5,
        "p50_response_time": 1.0,
        "p95_response_time": 2.5,
        "p99_response_time": 2.5,
        "avg_execution_time": 1.0,
        "min_execution_time": 0.5,
        "max_execution_time": 1.5,
        "p50_execution_time": 0.5,
        "p95_execution_time": 1.5,
        "p99_execution_time": 1.5,
        "throughput": 0.3,
        "error_rate": pytest.approx(1 / 9),
        "total_tokens": 120,
        "metrics": [],
    }


def test_what_the_agent_measured_itself(owner, project, now):
    loads = [record("metric", f"l-{n}", metric_type="cpu", metric_value=float(n)) for n in range(1, 101)]
    rates = [record("metric", f"r-{n}", metric_type="error_rate", metric_value=-0.25) for n in range(2)]
    write(project, [*loads, *rates, record("metric", "x", session_id="s-2")], now)
    assert owner.get("/api/sessions/s-1/performance/").json()["metrics"] == [
        {"metric_type": "cpu", "count": 100, "avg": 50.5, "min": 1, "max": 100, "p50": 50, "p95": 95, "p99": 99},
        {"metric_type": "error_rate", "count": 2, **dict.fromkeys(("avg", "min", "max", "p50", "p95", "p99"), -0.25)},
    ]


def test_a_session_in_which_nothing_happened(owner, project):
    make_session(session_id="s-1")
    summary = {"session_id": "s-1", "message_count": 0, "start_time": None, "end_time": None, "duration": 0}
    assert owner.get("/api/sessions/s-1/summary/").json() == summary
    statistics = owner.get("/api/sessions/s-1/statistics/").json()
    assert (statistics["success_rate"], statistics["total_cost"], statistics["duration_seconds"]) == (100, None, 0)
    performance = owner.get("/api/sessions/s-1/performance/").json()
    assert performance.pop("metrics") == []
    assert set(performance.values()) == {"s-1", 0}


def test_more_errors_than_messages_are_no_negative_rate(owner, project, now):
    write(project, [record("message", "m-1"), *[record("error", f"e-{n}") for n in range(3)]], now)
    assert owner.get("/api/sessions/s-1/statistics/").json()["success_rate"] == 0
    assert owner.get("/api/sessions/s-1/performance/").json()["error_rate"] == 1


@pytest.mark.parametrize("name", ["summary", "statistics", "performance"])
def test_figures_of_a_session_are_behind_the_wall(owner, outsider, anonymous, work, name):
    path = f"/api/sessions/s-1/{name}"
    assert owner.get(path).status_code == 200
    assert outsider.get(path).status_code == 404
    assert anonymous.get(path).status_code == 401
    assert owner.get(path, {"start": DAYS[0]}).status_code == 400


@pytest.fixture
def calls(project, now):
    """A hundred searches of 1 to 100 seconds on two days in two sessions, every tenth failed, and three others."""
    searches = [
        record(
            "tool_call",
            f"t-{n}",
            session_id=f"s-{n % 2 + 1}",
            success=n % 10 != 0,
            execution_time=float(n),
            timestamp=DAYS[n > 60],
        )
        for n in range(1, 101)
    ]
    mails = [record("tool_call", f"mail-{n}", tool_name="mail", success=None, execution_time=None) for n in range(3)]
    write(project, [*searches, *mails], now)


def test_tool_calls_in_figures(owner, calls):
    found = owner.get(TOOLS).json()
    assert found["total_calls"] == 103
    assert (found["success_calls"], found["failure_calls"], found["pending_calls"]) == (90, 10, 3)
    assert found["success_rate"] == pytest.approx(90 / 103)
    assert found["measured_calls"] == 100
    assert [found[f"{what}_execution_time"] for what in ("avg", "min", "max", "p50", "p95", "p99")] == [
        50.5,
        1.0,
        100.0,
        50.0,
        95.0,
        99.0,
    ]
    search, mail = found["by_tool"]
    assert (search["tool_name"], search["total_calls"], search["p95_execution_time"]) == ("search", 100, 95.0)
    assert (mail["tool_name"], mail["avg_execution_time"], mail["p50_execution_time"]) == ("mail", 0, 0)
    assert [(row["session_id"], row["total_calls"]) for row in found["by_session"]] == [("s-1", 53), ("s-2", 50)]
    assert [(row["date"], row["total_calls"], row["failure_calls"]) for row in found["trend"]] == [
        ("2026-03-01", 63, 6),
        ("2026-03-02", 40, 4),
    ]


@pytest.mark.parametrize(
    ("parameters", "total", "p95"),
    [
        ({"tool_name": "search"}, 100, 95.0),
        ({"tool_name": "mail"}, 3, 0),
        ({"session_id": "s-2"}, 50, 95.0),
        ({"status": "error"}, 10, 100.0),
        ({"start": DAYS[1]}, 40, 98.0),
        ({"tool_name": "search", "end": DAYS[1], "status": "success"}, 54, 57.0),
        ({"tool_name": "none"}, 0, 0),
    ],
)
def test_filters_come_before_counting(owner, calls, parameters, total, p95):
    found = owner.get(TOOLS, parameters).json()
    assert (found["total_calls"], found["p95_execution_time"]) == (total, p95)
    assert sum(row["total_calls"] for row in found["by_tool"]) == total
    assert sum(row["total_calls"] for row in found["trend"]) == total


def test_no_more_than_a_hundred_types_are_named(owner, project, now):
    write(project, [record("tool_call", f"t-{n}", tool_name=f"tool-{n}") for n in range(105)], now)
    found = owner.get(TOOLS).json()
    assert (found["total_calls"], len(found["by_tool"])) == (105, 100)


def test_errors_in_figures(owner, project, now):
    errors = [
        record("error", f"e-{n}", session_id=f"s-{n % 3}", error_type=("Timeout", "KeyError")[n % 4 == 0])
        | {"severity": ("error", "critical")[n == 0], "timestamp": DAYS[n > 6]}
        for n in range(10)
    ]
    write(project, errors, now)
    assert owner.get(ERRORS).json() == {
        "error_count": 10,
        "session_count": 3,
        "error_by_severity": {"debug": 0, "info": 0, "warning": 0, "error": 9, "critical": 1},
        "error_by_type": [
            {"error_type": "Timeout", "count": 7, "session_count": 3},
            {"error_type": "KeyError", "count": 3, "session_count": 3},
        ],
        "error_by_session": [
            {"session_id": "s-0", "count": 4},
            {"session_id": "s-1", "count": 3},
            {"session_id": "s-2", "count": 3},
        ],
        "error_trends": [{"date": "2026-03-01", "count": 7}, {"date": "2026-03-02", "count": 3}],
    }
    assert owner.get(ERRORS, {"error_type": "KeyError", "start": DAYS[1]}).json()["error_count"] == 1


@pytest.mark.parametrize("zone", ["UTC", "Asia/Shanghai", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"])
@pytest.mark.parametrize("trend", [(TOOLS, "tool_call", "trend"), (ERRORS, "error", "error_trends")])
def test_trends_are_by_the_days_of_the_callers_zone(owner, project, now, trend, zone):
    path, kind, name = trend
    first, last = datetime(2026, 3, 7, tzinfo=UTC), datetime(2026, 11, 2, tzinfo=UTC)
    # Also long before and after: no clock of then may be taken for that of now.
    moments = [datetime(1905, 7, 1, 23, 45, tzinfo=UTC), datetime(2200, 1, 1, 0, 15, tzinfo=UTC)]
    moments += [day + timedelta(minutes=n * 97) for day in (first, last, first + timedelta(29)) for n in range(45)]
    write(project, [record(kind, f"r-{n}", timestamp=at.isoformat()) for n, at in enumerate(moments)], now)
    wanted = Counter(at.astimezone(ZoneInfo(zone)).date().isoformat() for at in moments)
    found = owner.get(path, {"tz": zone}).json()[name]
    assert [(row["date"], row.get("count", row.get("total_calls"))) for row in found] == sorted(wanted.items())


@pytest.mark.parametrize("path", [TOOLS, ERRORS])
def test_statistics_show_nothing_from_behind_the_wall(outsider, anonymous, calls, path):
    found = outsider.get(path).json()
    assert found.get("total_calls", found.get("error_count")) == 0
    assert anonymous.get(path).status_code == 401


@pytest.mark.parametrize("path", [TOOLS, ERRORS])
@pytest.mark.parametrize(
    "parameters",
    [
        {"page_size": 5},
        {"start": "x"},
        {"severity": "loud"},
        {"tool": "search"},
        {"tz": "Nowhere/No"},
        {"end": "2026-03-01T00:00:00Z", "start": "2026-03-02T00:00:00Z"},
        {"end": "2026-03-01T00:00:00Z", "start": "2026-03-01T00:00:00Z"},
    ],
)
def test_a_senseless_parameter_is_named(owner, path, parameters):
    answer = owner.get(path, parameters)
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, f"/{next(iter(parameters))}")


@pytest.mark.parametrize(
    ("path", "queries"),
    [
        (TOOLS, 8),
        (ERRORS, 6),
        ("/api/sessions/s-1/summary/", 3),
        ("/api/sessions/s-1/statistics/", 13),
        ("/api/sessions/s-1/performance/", 12),
    ],
)
def test_figures_take_a_fixed_number_of_queries(owner, calls, django_assert_num_queries, path, queries):
    owner.get(path)
    with django_assert_num_queries(queries):
        owner.get(path)
