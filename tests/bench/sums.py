"""The sums: roll-ups beside a hand-made table, filling them beside one GROUP BY, and the dashboard."""

import random
import statistics
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, tzinfo
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import connection
from django.db.models import Max, Min
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from analytics_app.models import ModelUsage
from analytics_app.selectors.periods import day_bounds
from analytics_app.selectors.usage import usage_of_periods
from analytics_app.selectors.usage_groups import grouped_by_hour
from analytics_app.services.rollups import usage_roll_up
from history_app.models import TokenUsage
from sessions_app.models import Project, Session, StaffUser
from tests.bench.report import Line, median_ms
from tests.bench.rows import ACTIVITY_COLUMNS, load
from tests.bench.sections import Work
from tests.bench.writes import timed

DAYS = 90
USES_EACH = 50
PAGE_GOAL_MS = 300
MODELS = tuple(f"model-{number}" for number in range(10))
SEVERITIES = ("error", "warning", "critical")
FACT = ("project_id", "session_id", "record_id", "timestamp", "metadata")
TOKENS = ("prompt_tokens", "completion_tokens", "total_tokens")
USAGE = (*FACT, "user_id", "provider", "model", *TOKENS, "cost", "cost_status", "source", "price_source")
CALL = (*FACT, "request_id", "model", "provider", "messages", "response_time")
ERROR = (*FACT, "error_id", "error_type", "error_message", "stack_trace", "severity")
SESSION = ("project_id", "session_id", "user_id", "title", "status", "workflow_config_path", "created_at", "updated_at")
STATUSES = ("active", "completed", "failed", "expired")
# Days that begin within a day of UTC, and within an hour.
OTHER_ZONES = ("Asia/Shanghai", "Asia/Kolkata")
HAND_MADE = "bench_day_by_model"


def measure(work: Work) -> list[Line]:
    """Fill the store with uses of 90 days, then measure: filling the roll-ups, reading them, and the page."""
    project = Project.objects.get(slug="default").pk
    made, rounds = work.scaled(1_000_000, 20_000), work.scaled(30, 5)
    last, uses = datetime.now(UTC), work.rows or made
    fill_sums(project, min(made, uses), last)
    multiply_uses(min(made, uses), uses)
    filling = filling_line(uses)
    return [
        filling,
        reading_line(project, uses, rounds, last, UTC),
        *(reading_line(project, uses, rounds, last, ZoneInfo(zone)) for zone in OTHER_ZONES),
        page_line(uses, rounds),
    ]


def fill_sums(project: int, uses: int, last: datetime) -> None:
    """Write so many uses of the last 90 days in the order of their time, 50 in a session and half an hour.

    And a fifth as many LLM calls, a hundredth as many errors.
    """
    picker = random.Random(1)
    sessions = max(uses // USES_EACH, 1)
    begins = [last - timedelta(days=DAYS) * (1 - number / sessions) - timedelta(hours=1) for number in range(sessions)]
    moments = [begin + timedelta(seconds=30 * number) for begin in begins for number in range(USES_EACH)]
    made = f"sums-{time.time_ns()}"
    load("sessions_app_session", (*SESSION, "version"), _sessions(project, made, begins))
    stored = Session.objects.filter(session_id__startswith=made)
    begun = list(stored.values_list("pk", "created_at"))
    load("sessions_app_sessionactivity", ACTIVITY_COLUMNS, ((pk, 0, 0, at) for pk, at in begun))
    keys = [pk for pk, _at in begun]
    facts = _facts(project, keys, moments)
    load("history_app_tokenusage", USAGE, (_use(picker, fact) for fact in facts))
    calls = _facts(project, keys, moments[::5])
    load(
        "history_app_llmcall", CALL, ((*f, f[2], picker.choice(MODELS), "", None, picker.expovariate(1)) for f in calls)
    )
    errors = _facts(project, keys, moments[::100])
    load(
        "history_app_errorrecord", ERROR, ((*fact, "", "Timeout", "", "", picker.choice(SEVERITIES)) for fact in errors)
    )
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("VACUUM ANALYZE")


def multiply_uses(made: int, wanted: int) -> None:
    """Make more uses of those that there are, within the database, each copy some seconds after the one before."""
    copied = ", ".join(column for column in USAGE if column not in {"record_id", "timestamp"})
    later = {
        "sqlite": "STRFTIME('%%Y-%%m-%%d %%H:%%M:%%f', timestamp, (%s) || ' seconds')",
        "postgresql": "timestamp + MAKE_INTERVAL(secs => %s)",
    }.get(connection.vendor, "timestamp + INTERVAL %s SECOND")
    statement = (
        f"INSERT INTO history_app_tokenusage (record_id, timestamp, {copied}) "
        f"SELECT record_id || %s, {later}, {copied} FROM history_app_tokenusage "
        "WHERE id BETWEEN %s AND %s ORDER BY id LIMIT %s"
    )
    ends = TokenUsage.objects.aggregate(first=Min("pk"), last=Max("pk"))
    with connection.cursor() as cursor:
        for number in range(1, -(-wanted // made)):
            left = min(made, wanted - number * made)
            cursor.execute(statement, [f"-{number}", number, ends["first"], ends["last"], left])
        if connection.vendor == "postgresql":
            cursor.execute("VACUUM ANALYZE")


def _sessions(project: int, made: str, moments: list[datetime]) -> Iterator[tuple[Any, ...]]:
    for number, at in enumerate(moments):
        yield (project, f"{made}-{number}", f"user-{number % 1000}", "", STATUSES[number % 4], "", at, at, 1)


def _facts(project: int, keys: list[int], moments: list[datetime]) -> Iterator[tuple[Any, ...]]:
    for number, at in enumerate(moments):
        yield (project, keys[number // USES_EACH % len(keys)], f"r-{number}", at, None)


def _use(picker: random.Random, fact: tuple[Any, ...]) -> tuple[Any, ...]:
    asked, answered = picker.randrange(2000), picker.randrange(500)
    cost = Decimal(asked * 3 + answered * 15) / 1_000_000
    user = f"user-{fact[1] % 1000}"
    shown = format(cost, "f") if connection.vendor == "sqlite" else cost
    names = (user, "maker", picker.choice(MODELS))
    return (*fact, *names, asked, answered, asked + answered, shown, "computed", "", "bench")


def _call(picker: random.Random, fact: tuple[Any, ...]) -> tuple[Any, ...]:
    return (*fact, fact[2], picker.choice(MODELS), "", None, picker.expovariate(1))


def _error(picker: random.Random, fact: tuple[Any, ...]) -> tuple[Any, ...]:
    return (*fact, "", "Timeout", "", "", picker.choice(SEVERITIES))


def filling_line(uses: int) -> Line:
    """Rolling up the new uses by hour and day, model and user, beside grouping them once by hour and model."""
    rows = TokenUsage.objects.all()
    ours, limit = timed(lambda: usage_roll_up(now=timezone.now())), timed(lambda: _one_group_by(rows))
    note = f"{uses:,} new uses; limit: one GROUP BY hour and model, nothing stored"
    return Line("rolling up", ours, limit, "s", "<= 2", note)


def _one_group_by(rows: Any) -> None:
    grouped_by_hour(rows, ModelUsage.NAMES)


def reading_line(project: int, uses: int, rounds: int, last: datetime, zone: tzinfo) -> Line:
    """Tokens and cost by day and model over 90 days of a zone, beside a table that holds the sums of days in UTC."""
    bounds = day_bounds(last.date() - timedelta(days=DAYS - 1), DAYS, zone)
    _make_by_hand(project)
    ask = (
        f"SELECT day, model, SUM(tokens), SUM(cost) FROM {HAND_MADE} WHERE project_id = %s AND day >= %s GROUP BY 1, 2"
    )

    def by_hand() -> None:
        with connection.cursor() as cursor:
            cursor.execute(ask, [project, str(bounds[0])])
            cursor.fetchall()

    def ours() -> None:
        usage_of_periods(
            projects=[project], bounds=bounds, model=ModelUsage, names=("model",), sums=("total_tokens", "cost")
        )

    pairs = [(timed(ours), timed(by_hand)) for _ in range(rounds)]
    mine, theirs = (statistics.median(side) * 1000 for side in zip(*pairs, strict=True))
    note = f"{uses:,} uses; limit: a raw query on a hand-made roll-up table by day and model"
    if zone is UTC:
        return Line("90 days by model", mine, theirs, "ms", "<= 3", note)
    return Line(f"90 days by model, {zone}", mine, theirs, "ms", "", f"{note}, of days in UTC")


def _make_by_hand(project: int) -> None:
    cost = "SUM(CAST(cost AS REAL))" if connection.vendor == "sqlite" else "SUM(cost)"
    made = (
        f"CREATE TABLE {HAND_MADE} AS SELECT project_id, start AS day, model, provider, SUM(total_tokens) AS tokens, "
        f"{cost} AS cost FROM analytics_app_modelusage WHERE grain = 'd' GROUP BY 1, 2, 3, 4"
    )
    with connection.cursor() as cursor:
        cursor.execute(f"DROP TABLE IF EXISTS {HAND_MADE}")
        cursor.execute(made)
        cursor.execute(f"CREATE INDEX {HAND_MADE}_key ON {HAND_MADE} (project_id, day)")


def page_line(uses: int, rounds: int) -> Line:
    """The dashboard over 90 days, beside the bound itself."""
    settings.ALLOWED_HOSTS = ["*"]
    client = Client()
    user, _made = StaffUser.objects.get_or_create(username="bench", is_staff=True, is_superuser=True)
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    address = reverse("admin:analytics_app_modelusage_dashboard")
    taken = [timed(lambda: _got(client, address)) for _ in range(rounds + 2)]
    note = f"{uses:,} uses, {uses // 5:,} LLM calls; limit is the goal in ms"
    return Line("dashboard of 90 days", median_ms(taken[2:]), PAGE_GOAL_MS, "ms", "<= 1", note)


def _got(client: Client, address: str) -> None:
    answer = client.get(address, {"days": DAYS})
    if answer.status_code != 200:
        raise RuntimeError(f"{address}: {answer.status_code}")
