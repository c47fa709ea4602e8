"""What a use states and what a cost record says is one cost, in the rows and in every sum, in any order."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from analytics_app.models import ModelUsage
from analytics_app.selectors.periods import day_bounds
from analytics_app.selectors.usage import usage_of_periods
from analytics_app.services.rollups import usage_rollups_reset
from history_app.models import TokenUsage
from sessions_app.models import Session
from tests.analytics_app.test_rollups import roll_up
from tests.history_app.records import outcomes, record

pytestmark = pytest.mark.django_db

AMOUNTS = st.sampled_from([None, "0.10", "0.000000000000000000000007", "3"])
PLACES = st.tuples(st.sampled_from(["gpt-4o", "other"]), st.sampled_from(["12:00:00", "13:00:00"]))


@st.composite
def costed(draw):
    """Uses and costs of two models and moments, each with an amount or none."""
    made = []
    for kind, amount in (("token_usage", "reported_cost"), ("cost", "total_cost")):
        for number in draw(st.lists(st.integers(0, 99), max_size=6, unique=True)):
            model, clock = draw(PLACES)
            fields = {"model": model, "timestamp": f"2026-03-01T{clock}Z", amount: draw(AMOUNTS)}
            made.append(record(kind, f"{kind}-{number}", **fields))
    return made


def _of(raws, kind, place):
    found = [raw for raw in raws if raw["record_type"] == kind and (raw["model"], raw["timestamp"]) == place]
    return sorted(found, key=lambda raw: raw["record_id"])


def wanted(raws):
    """Return (use or None, cost record or None, amount) of every row that there shall be, in plain Python."""
    rows = []
    for place in {(raw["model"], raw["timestamp"]) for raw in raws}:
        uses = sorted(_of(raws, "token_usage", place), key=lambda raw: raw["reported_cost"] is not None)
        costs = _of(raws, "cost", place)
        for number in range(max(len(uses), len(costs))):
            use = uses[number] if number < len(uses) else None
            cost = costs[number] if number < len(costs) else None
            amounts = [cost and cost["total_cost"], use and use["reported_cost"]]
            known = [Decimal(amount) for amount in amounts if amount is not None]
            row = (use and use["record_id"], cost and cost["record_id"], known[0] if known else None)
            rows.append(row)
    return sorted(rows, key=repr)


def _stored():
    rows = TokenUsage.objects.values_list("record_id", "cost_record_id", "cost")
    named = [(None if use.startswith("cost:") else use, cost, amount) for use, cost, amount in rows]
    return sorted(((use, cost, amount and amount.normalize()) for use, cost, amount in named), key=repr)


def _sums():
    found = usage_of_periods(
        projects=None,
        bounds=day_bounds(datetime(2026, 3, 1, tzinfo=UTC).date(), 1, UTC),
        model=ModelUsage,
        names=(),
    )
    sums = found.get((0, ()), {"uses": 0, "cost": Decimal(0), "unpriced": 0})
    return sums["uses"], sums["cost"], sums["unpriced"]


def _check(raws):
    rows = wanted(raws)
    assert _stored() == sorted(((use, cost, amount and amount.normalize()) for use, cost, amount in rows), key=repr)
    uses = [row for row in rows if row[0]]
    assert _sums() == (
        len(uses),
        sum((amount for *_ids, amount in rows if amount is not None), Decimal(0)),
        sum(amount is None for *_ids, amount in uses),
    )


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(costed(), st.data())
def test_every_sum_counts_one_cost_of_each_use(project, now, settings, raws, data):
    settings.AGENTLEDGER_PRICE_FUNCTION = None
    Session.objects.filter(project=project).delete()
    usage_rollups_reset()
    order = data.draw(st.permutations(raws))
    done = []
    while order:
        size = data.draw(st.integers(1, len(order)))
        batch, order = order[:size], order[size:]
        assert outcomes(project, batch, now) == ["new"] * len(batch)
        done += batch
        if data.draw(st.booleans()):
            roll_up()
        _check(done)
    roll_up()
    _check(done)
