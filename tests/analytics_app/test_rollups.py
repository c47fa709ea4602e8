"""Roll-ups say what the facts say: at every moment, after late, changed and removed uses, and after a rebuild."""

import time
from collections import defaultdict
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from django.core.management import call_command
from django.db import connection
from django.db.models import Max
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from analytics_app.models import ModelUsage, RollupState, UsageChange, UserUsage
from analytics_app.selectors.periods import day_bounds, month_bounds
from analytics_app.selectors.usage import usage_of_periods
from analytics_app.services.rollups import filling, usage_roll_up, usage_rollups_reset
from history_app.models import TokenUsage
from tests.factories import NOW, default_project, make_project, make_session, make_token_usage

pytestmark = pytest.mark.django_db

BEGIN = datetime(2024, 2, 27, tzinfo=UTC)
ZONES = ("UTC", "Asia/Shanghai", "Asia/Kolkata", "America/St_Johns", "America/New_York", "Australia/Lord_Howe")


def roll_up():
    """Bring the roll-ups up to date; on MariaDB a record has to age before it is settled, and may be found locked."""
    highest = TokenUsage.objects.aggregate(highest=Max("pk"))["highest"] or 0
    for _attempt in range(20):
        for _day in range(2):
            usage_roll_up(now=NOW + timedelta(days=roll_up.calls))
            roll_up.calls += 1
        if RollupState.objects.get().watermark >= highest:
            return
        time.sleep(0.1)
    raise AssertionError("the uses were never settled")


roll_up.calls = 1


def plain(bounds, names):
    """Return the figures as plain Python adds them up, by (place of the period, names)."""
    found = defaultdict(lambda: defaultdict(int))
    for row in TokenUsage.objects.all():
        for place, (start, end) in enumerate(pairwise(bounds)):
            if start <= row.timestamp < end:
                sums = found[place, tuple(getattr(row, name) for name in names)]
                sums["uses"] += 1
                for name in ("prompt_tokens", "completion_tokens", "total_tokens"):
                    sums[name] += getattr(row, name) or 0
                sums["cost"] += row.cost or Decimal(0)
                sums["unpriced"] += row.cost is None
    return found


def assert_right(bounds):
    """Compare every figure of the periods with plain sums of the facts."""
    for model in (ModelUsage, UserUsage):
        told = usage_of_periods(projects=None, bounds=bounds, model=model, names=model.NAMES)
        wanted = plain(bounds, model.NAMES)
        assert told.keys() == wanted.keys()
        for key, sums in wanted.items():
            assert {name: told[key][name] for name in sums} == dict(sums)


def used(session, at, **fields):
    """Record a use of tokens at a moment."""
    cost = fields.pop("cost", None)
    status = "unknown" if cost is None else "computed"
    return make_token_usage(session=session, timestamp=at, cost=cost, cost_status=status, **fields)


USES = st.tuples(
    st.integers(0, 4 * 86400 - 1),
    st.sampled_from(["gpt-4o", "claude", ""]),
    st.sampled_from(["ada", "bo"]),
    st.integers(0, 10**9),
    st.sampled_from([None, Decimal("0.1"), Decimal("0.000000000000000000000003"), Decimal(7)]),
)
STEPS = st.lists(
    st.one_of(
        USES,
        st.just("roll up"),
        st.tuples(st.just("remove"), st.integers(0, 50)),
        st.tuples(st.just("change"), st.integers(0, 50), st.integers(0, 10**6)),
        st.tuples(st.just("move"), st.integers(0, 50), st.integers(0, 4 * 86400 - 1)),
    ),
    max_size=25,
)


def _step(session, step):
    if step == "roll up":
        roll_up()
    elif isinstance(step[0], int):
        second, model, user, tokens, cost = step
        used(
            session,
            BEGIN + timedelta(seconds=second),
            model=model,
            user_id=user,
            prompt_tokens=tokens,
            completion_tokens=1,
            total_tokens=tokens + 1,
            cost=cost,
        )
    elif rows := list(TokenUsage.objects.order_by("pk")):
        row = rows[step[1] % len(rows)]
        if step[0] == "remove":
            row.delete()
        elif step[0] == "change":
            TokenUsage.objects.filter(pk=row.pk).update(prompt_tokens=step[2], model="other")
        else:
            TokenUsage.objects.filter(pk=row.pk).update(timestamp=BEGIN + timedelta(seconds=step[2]))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS, zone=st.sampled_from(ZONES))
def test_every_figure_is_that_of_the_facts_whatever_happens_to_them(project, steps, zone):
    TokenUsage.objects.all().delete()
    usage_rollups_reset()
    session = make_session()
    for step in steps:
        _step(session, step)
    bounds = day_bounds(BEGIN.date() - timedelta(days=1), 6, ZoneInfo(zone))
    assert_right(bounds)
    roll_up()
    assert_right(bounds)
    assert UsageChange.objects.count() == 0


def _stored():
    rows = []
    for model in (ModelUsage, UserUsage):
        columns = [field.name for field in model._meta.concrete_fields if field.name != "id"]
        rows.append(sorted(model.objects.values_list(*columns), key=repr))
    return rows


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_a_rebuild_comes_to_the_same_rows(project, steps):
    TokenUsage.objects.all().delete()
    usage_rollups_reset()
    session = make_session()
    for step in steps:
        _step(session, step)
    roll_up()
    before = _stored()
    usage_rollups_reset()
    roll_up()
    assert _stored() == before


def test_a_rolled_up_use_that_is_removed_with_its_session_is_gone_from_the_figures(project):
    session = make_session()
    used(session, BEGIN, total_tokens=10)
    roll_up()
    session.delete()
    bounds = day_bounds(BEGIN.date(), 1, UTC)
    assert usage_of_periods(projects=None, bounds=bounds, model=ModelUsage, names=()) == {}
    roll_up()
    assert ModelUsage.objects.count() == 0


def test_two_workers_do_not_add_the_same_uses_twice(project, monkeypatch):
    used(make_session(), BEGIN, total_tokens=10)
    roll_up()
    state = RollupState.objects.get()
    used(make_session(), BEGIN, total_tokens=5)
    monkeypatch.setattr(filling.RollupState.objects, "get", lambda **_where: state, raising=False)
    highest = TokenUsage.objects.aggregate(highest=Max("pk"))["highest"]
    filling._step(highest, NOW)
    # The second one has read the state before the first one moved it.
    filling._step(highest, NOW)
    assert ModelUsage.objects.filter(grain="h").get().total_tokens == 15


def test_many_uses_go_in_over_several_steps(project, monkeypatch):
    monkeypatch.setattr(filling, "IDS_PER_STEP", 3)
    session = make_session()
    for place in range(10):
        used(session, BEGIN + timedelta(hours=place), total_tokens=place)
    roll_up()
    assert ModelUsage.objects.get(grain="d").total_tokens == 45
    assert ModelUsage.objects.filter(grain="h").count() == 10


def test_a_day_of_25_hours_and_a_leap_day_are_whole(project):
    session = make_session()
    new_york = ZoneInfo("America/New_York")
    for day in (date(2024, 2, 29), date(2024, 11, 3)):
        start, end = day_bounds(day, 1, new_york)
        for moment in (start, end - timedelta(seconds=1), end):
            used(session, moment, total_tokens=1)
        roll_up()
        found = usage_of_periods(projects=None, bounds=[start, end], model=ModelUsage, names=())
        assert found[0, ()]["total_tokens"] == 2
    assert day_bounds(date(2024, 11, 3), 1, new_york)[1] - day_bounds(date(2024, 11, 3), 1, new_york)[0] == timedelta(
        hours=25
    )


def test_months_go_back_over_the_turn_of_the_year():
    bounds = month_bounds(date(2026, 1, 15), 3, UTC)
    assert [bound.date() for bound in bounds] == [
        date(2025, 11, 1),
        date(2025, 12, 1),
        date(2026, 1, 1),
        date(2026, 2, 1),
    ]


def test_the_figures_of_many_days_take_as_many_queries_as_those_of_one(project, django_assert_num_queries):
    session, projects = make_session(), [default_project().pk]
    for day in range(60):
        used(session, BEGIN + timedelta(days=day), total_tokens=1)
    roll_up()
    for days in (1, 60):
        with django_assert_num_queries(4):
            usage_of_periods(
                projects=projects,
                bounds=day_bounds(BEGIN.date(), days, UTC),
                model=ModelUsage,
                names=("model",),
            )


def test_figures_of_several_projects_and_providers_are_added_up(project):
    others = [default_project(), make_project()]
    for each in others:
        session = make_session(project=each)
        for provider, cost in (("a", Decimal("0.1")), ("b", Decimal("0.2")), ("b", Decimal(30))):
            used(session, BEGIN, model="m", provider=provider, total_tokens=10, cost=cost)
    roll_up()
    bounds = day_bounds(BEGIN.date(), 1, UTC)
    for projects in (others[:1], others):
        found = usage_of_periods(
            projects=[each.pk for each in projects], bounds=bounds, model=ModelUsage, names=("model",)
        )
        (sums,) = found.values()
        assert (sums["total_tokens"], sums["cost"]) == (30 * len(projects), Decimal("30.3") * len(projects))


def test_more_changed_hours_than_one_condition_takes(project):
    """Every second hour of three months has changed, on a clock that cuts each day within an hour."""
    session = make_session()
    for place in range(3):
        used(session, BEGIN + timedelta(days=30 * place, minutes=29), total_tokens=1, cost=Decimal("0.1"))
    roll_up()
    hours = [BEGIN + timedelta(hours=2 * number) for number in range(12 * 90)]
    UsageChange.objects.bulk_create(UsageChange(project_id=default_project().pk, hour=hour) for hour in hours)
    assert_right(day_bounds(BEGIN.date(), 90, ZoneInfo("Asia/Kolkata")))


def test_the_command_makes_the_roll_ups_anew(project, capsys):
    used(make_session(), BEGIN, total_tokens=10)
    roll_up()
    ModelUsage.objects.update(total_tokens=99)
    call_command("rebuild_rollups")
    if connection.vendor != "mysql":
        assert ModelUsage.objects.filter(grain="d").get().total_tokens == 10
    assert_right(day_bounds(BEGIN.date(), 1, UTC))
