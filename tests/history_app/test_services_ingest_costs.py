"""Costs find the use of tokens beside them, one to one, whichever comes first and however often it is retried."""

import itertools
from decimal import Decimal

import pytest

from history_app.models import TokenUsage
from history_app.services.drafts import TokenUsageDraft
from history_app.services.ingest.prices import Price
from sessions_app.models import Session
from tests.history_app.records import outcomes, record, write

pytestmark = pytest.mark.django_db


def _rows(session_id="s-1"):
    rows = TokenUsage.objects.filter(session__session_id=session_id).order_by("record_id")
    return [(row.record_id, row.cost_record_id, row.cost, row.cost_status) for row in rows]


@pytest.fixture(autouse=True)
def _no_prices(settings):
    """Only what is reported counts here; what is computed has tests of its own."""
    settings.AGENTLEDGER_PRICE_FUNCTION = None


USAGE, COST = record("token_usage", "u-1"), record("cost", "c-1", metadata={"invoice": 7})


@pytest.mark.parametrize("order", [[USAGE, COST], [COST, USAGE]])
@pytest.mark.parametrize("batches", [1, 2])
def test_a_cost_gives_its_amount_to_the_use_beside_it(project, now, order, batches):
    for batch in [order] if batches == 1 else [[raw] for raw in order]:
        assert outcomes(project, batch, now) == ["new"] * len(batch)
    assert outcomes(project, order, now) == ["same", "same"]
    assert _rows() == [("u-1", "c-1", Decimal("0.0031"), "reported")]
    row = TokenUsage.objects.get()
    assert (row.source, row.total_tokens, row.reported_cost) == ("api_call", 120, Decimal("0.0031"))
    assert row.metadata == {"cost_record": {"metadata": {"invoice": 7}}}


@pytest.mark.parametrize(
    "other",
    [{"model": "gpt-4"}, {"total_tokens": 121}, {"timestamp": "2026-03-01T12:00:01Z"}, {"session_id": "s-2"}],
)
def test_a_cost_with_no_use_beside_it_stands_alone(project, now, other):
    write(project, [USAGE, {**COST, **other}], now)
    rows = TokenUsage.objects.order_by("record_id").values_list("cost_record_id", "source", "cost_status")
    assert list(rows) == [("c-1", "cost", "reported"), (None, "api_call", "unknown")]


@pytest.mark.parametrize("order", list(itertools.permutations(range(5))))
def test_identical_pairs_of_one_second_are_joined_one_to_one(project, now, order):
    records = [record("token_usage", f"u-{n}") for n in range(3)]
    records += [record("cost", f"c-{n}", total_cost=f"0.{n + 1}") for n in range(2)]
    for place in order:
        assert outcomes(project, [records[place]], now) == ["new"]
    assert outcomes(project, records, now) == ["same"] * 5
    assert _rows() == [
        ("u-0", "c-0", Decimal("0.1"), "reported"),
        ("u-1", "c-1", Decimal("0.2"), "reported"),
        ("u-2", None, None, "unknown"),
    ]


def test_costs_left_over_stand_alone_until_a_use_comes(project, now):
    write(project, [USAGE, COST, record("cost", "c-0", total_cost="0.5")], now)
    assert [row[:2] for row in _rows()] == [("cost:c-1", "c-1"), ("u-1", "c-0")]
    write(project, [record("token_usage", "u-2")], now)
    assert [row[:2] for row in _rows()] == [("u-1", "c-0"), ("u-2", "c-1")]
    assert TokenUsage.objects.get(record_id="u-2").metadata == {"cost_record": {"metadata": {"invoice": 7}}}


def test_a_use_and_its_cost_may_have_the_same_id(project, now):
    batch = [record("cost", "r-1"), record("cost", "r-2", total_tokens=7), record("token_usage", "r-2")]
    assert outcomes(project, batch, now) == ["new"] * 3
    assert outcomes(project, [record("token_usage", "r-1", total_tokens=7)], now) == ["new"]
    assert [row[:2] for row in _rows()] == [("r-1", "r-2"), ("r-2", "r-1")]


def test_a_cost_with_a_very_long_id_can_stand_alone(project, now):
    batch = [record("cost", "c" * 255), record("cost", "c" * 254)]
    assert outcomes(project, batch, now) == ["new", "new"]
    assert outcomes(project, batch, now) == ["same", "same"]


def test_a_use_that_states_its_cost_keeps_it(project, now):
    write(project, [record("token_usage", "u-1", reported_cost="0.25")], now)
    assert _rows() == [("u-1", None, Decimal("0.25"), "reported")]


STATING = record("token_usage", "u-1", reported_cost="0.250", metadata={"cost_record": "mine"})


@pytest.mark.parametrize("order", [[STATING, COST], [COST, STATING]])
@pytest.mark.parametrize("batches", [1, 2])
def test_a_cost_record_goes_before_the_cost_that_the_use_states(project, now, order, batches):
    for batch in [order] if batches == 1 else [[raw] for raw in order]:
        assert outcomes(project, batch, now) == ["new"] * len(batch)
    assert outcomes(project, [*order, {**STATING, "reported_cost": "0.3"}], now) == ["same", "same", "conflict"]
    assert _rows() == [("u-1", "c-1", Decimal("0.0031"), "reported")]
    note = {"metadata": {"invoice": 7}, "stated_cost": "0.25", "own": "mine"}
    assert TokenUsage.objects.get().metadata == {"cost_record": note}


@pytest.mark.parametrize("order", [[STATING, COST], [COST, STATING]])
def test_a_cost_record_without_an_amount_leaves_the_stated_cost(project, now, order):
    batch = [{**raw, "total_cost": None} if raw is COST else raw for raw in order]
    assert outcomes(project, batch[:1], now) + outcomes(project, batch[1:], now) == ["new", "new"]
    assert _rows() == [("u-1", "c-1", Decimal("0.25"), "reported")]
    assert outcomes(project, [*batch, COST], now) == ["same", "same", "conflict"]


def test_a_cost_record_belongs_to_the_use_that_states_none(project, now):
    write(project, [STATING, COST], now)
    write(project, [record("token_usage", "u-2")], now)
    assert _rows() == [("u-1", None, Decimal("0.25"), "reported"), ("u-2", "c-1", Decimal("0.0031"), "reported")]
    assert TokenUsage.objects.get(record_id="u-1").metadata == STATING["metadata"]


def test_a_cost_without_an_amount_leaves_the_use_unpriced(project, now):
    assert outcomes(project, [USAGE, {**COST, "total_cost": float("nan")}], now) == ["new", "new"]
    assert _rows() == [("u-1", "c-1", None, "unknown")]
    assert outcomes(project, [{**COST, "total_cost": None}], now) == ["same"]


def test_what_the_cost_says_of_user_and_provider_is_not_lost(project, now):
    usage, cost = {**USAGE, "provider": "openai"}, {**COST, "provider": "azure", "user_id": "bo", "metadata": {}}
    write(project, [usage, cost], now)
    row = TokenUsage.objects.get()
    assert (row.provider, row.metadata) == ("openai", {"cost_record": {"user_id": "bo", "provider": "azure"}})
    assert outcomes(project, [usage, cost, {**cost, "provider": "other"}], now) == ["same", "same", "conflict"]


def test_tokens_belong_to_the_sessions_user_unless_another_is_named(project, now):
    Session.objects.create(project=project, session_id="s-1", user_id="ada")
    batch = [record("token_usage", "u-1"), record("token_usage", "u-2", user_id="bo"), record("cost", "c", model="x")]
    write(project, batch, now)
    assert list(TokenUsage.objects.order_by("id").values_list("user_id", flat=True)) == ["ada", "bo", "ada"]
    assert outcomes(project, batch, now) == ["same"] * 3


def price_for_tests(project_id: int, usage: TokenUsageDraft) -> Price | None:
    """A cent a hundred tokens of gpt-4o; other models have no price."""
    return Price(Decimal(usage.total_tokens or 0) / 10_000, "tests 1") if usage.model == "gpt-4o" else None


def test_the_price_function_of_the_settings_is_asked_where_nothing_was_reported(project, now, settings):
    settings.AGENTLEDGER_PRICE_FUNCTION = f"{__name__}.price_for_tests"
    write(project, [USAGE, record("token_usage", "u-2", model="other")], now)
    assert _rows() == [("u-1", None, Decimal("0.012"), "computed"), ("u-2", None, None, "unknown")]
    write(project, [COST], now)
    assert _rows()[0] == ("u-1", "c-1", Decimal("0.0031"), "reported")
    write(project, [record("cost", "c-0", total_cost="9"), record("token_usage", "u-0")], now)
    assert [row[1:3] for row in _rows()] == [("c-0", Decimal(9)), ("c-1", Decimal("0.0031")), (None, None)]
