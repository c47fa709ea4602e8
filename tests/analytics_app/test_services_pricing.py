"""What a use of tokens costs: by a project's own prices, by the public ones, or nothing that is known."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils import timezone
from genai_prices import Usage
from genai_prices.data_snapshot import get_snapshot
from hypothesis import given
from hypothesis import strategies as st

from analytics_app.models import ModelPrice
from analytics_app.services import own_prices
from analytics_app.services.own_prices import model_price_create, model_price_delete, model_price_update
from analytics_app.services.pricing import usage_price
from analytics_app.services.public_prices import SOURCE
from config.shared.callers import SYSTEM
from config.shared.errors import Conflict
from history_app.models import TokenUsage
from history_app.services.drafts import TokenUsageDraft
from history_app.services.recording import record
from tests.factories import NOW

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _nothing_remembered():
    own_prices._kept.clear()
    yield
    own_prices._kept.clear()


def use(**fields):
    """Return a use of a thousand tokens in and a hundred out."""
    usual = {"model": "gpt-4o-2024-08-06", "prompt_tokens": 1000, "completion_tokens": 100}
    return TokenUsageDraft(session_id="s-1", record_id="u-1", timestamp=NOW, metadata=None, **{**usual, **fields})


def own(project, **values):
    """Give the project a price of its own."""
    usual = {"model": "house-1", "input_mtok": Decimal(2), "output_mtok": Decimal(8), "valid_from": NOW}
    return model_price_create(project_id=project.pk, values={**usual, **values}, now=NOW, caller=SYSTEM)


def test_a_public_price_is_found_by_the_models_name(project):
    assert usage_price(project.pk, use()) == (Decimal("0.0035"), SOURCE)


@pytest.mark.parametrize("provider", ["openai", "our-gateway", ""])
def test_an_unknown_provider_leaves_the_decision_to_the_model(project, provider):
    assert usage_price(project.pk, use(provider=provider)).amount == Decimal("0.0035")


def test_a_name_with_its_maker_before_it_is_known(project):
    assert usage_price(project.pk, use(model="openai/gpt-4o-2024-08-06")).amount == Decimal("0.0035")


@pytest.mark.parametrize(
    "fields",
    [{"model": "nobody-knows-this"}, {"model": ""}, {"prompt_tokens": None}, {"completion_tokens": None}],
)
def test_what_is_not_known_has_no_price_and_is_not_free(project, fields):
    assert usage_price(project.pk, use(**fields)) is None


def test_a_use_that_is_all_prompt_costs_its_prompt(project):
    assert usage_price(project.pk, use(completion_tokens=None, total_tokens=1000)).amount == Decimal("0.0025")


def test_cached_tokens_are_counted_once(project):
    """400 of 1,000 tokens come from the cache at half the price."""
    priced = usage_price(project.pk, use(cache_read_tokens=400))
    assert priced.amount == Decimal("0.0015") + Decimal("0.0005") + Decimal("0.001")


def test_more_cached_tokens_than_the_prompt_has_were_reported_beside_it(project):
    priced = usage_price(project.pk, use(prompt_tokens=10, cache_read_tokens=1000, completion_tokens=0))
    assert priced.amount == Decimal("0.000025") + Decimal("0.00125")


PRICED = [
    (provider, model) for provider in get_snapshot().providers for model in provider.models
    if provider.id in ("openai", "anthropic", "google", "deepseek", "mistral", "aws")
]  # fmt: skip


@given(
    place=st.integers(0, len(PRICED) - 1),
    tokens=st.tuples(st.integers(0, 3_000_000), st.integers(0, 10**5), st.floats(0, 1), st.floats(0, 1)),
)
def test_our_arithmetic_is_that_of_the_price_list(place, tokens):
    provider, model = PRICED[place]
    prompt, completion, part, of_rest = tokens
    read = int(prompt * part)
    written = int((prompt - read) * of_rest)
    usage = use(
        model=model.id,
        provider=provider.id,
        prompt_tokens=prompt,
        completion_tokens=completion,
        cache_read_tokens=read,
        cache_write_tokens=written,
    )
    ours = usage_price(0, usage)
    if ours is None:
        return
    counts = Usage(input_tokens=prompt, output_tokens=completion, cache_read_tokens=read, cache_write_tokens=written)
    matched = get_snapshot().find_provider_model(model.id, None, provider.id, None)[1]
    theirs = matched.calc_price(counts, provider, genai_request_timestamp=NOW)
    assert ours.amount == theirs.total_price


def test_a_price_of_ones_own_goes_before_the_public_one(project):
    row = own(project, model="gpt-4o*")
    assert usage_price(project.pk, use()) == (Decimal("0.0028"), f"model-price {row.pk}")


def test_the_whole_name_the_longer_beginning_and_the_stated_provider_decide(project):
    own(project, model="house*", input_mtok=Decimal(1), output_mtok=0)
    own(project, model="house-1*", input_mtok=Decimal(2), output_mtok=0)
    own(project, model="house-1", input_mtok=Decimal(3), output_mtok=0)
    own(project, model="house-1", provider="lab", input_mtok=Decimal(4), output_mtok=0)
    found = [
        usage_price(project.pk, use(model=model, provider=provider)).amount * 1000
        for model, provider in (("house-2", ""), ("house-1b", ""), ("house-1", "other"), ("house-1", "lab"))
    ]
    assert found == [1, 2, 3, 4]


def test_a_price_holds_from_its_moment_on(project):
    own(project, input_mtok=Decimal(2))
    own(project, input_mtok=Decimal(4), valid_from=NOW + timedelta(days=1))
    early, late = use(model="house-1", completion_tokens=0), use(model="house-1", completion_tokens=0)
    late.timestamp = NOW + timedelta(days=1)
    assert [usage_price(project.pk, each).amount for each in (early, late)] == [Decimal("0.002"), Decimal("0.004")]
    early.timestamp = NOW - timedelta(seconds=1)
    assert usage_price(project.pk, early) is None


def test_another_projects_price_is_not_ours(project, other_project):
    own(other_project)
    assert usage_price(project.pk, use(model="house-1")) is None


def test_two_prices_from_one_moment_on_are_a_conflict(project):
    own(project)
    with pytest.raises(Conflict):
        own(project)


def test_a_recorded_cost_stays_when_the_price_changes(project):
    price = own(project)
    fields = {"record_type": "token_usage", "session_id": "s-1", "model": "house-1", "timestamp": NOW.isoformat()}
    tokens = {"prompt_tokens": 1_000_000, "completion_tokens": 0}
    record(project_id=project.pk, fields={**fields, **tokens, "record_id": "u-1"}, now=timezone.now())
    model_price_update(price=price, values={"input_mtok": Decimal(5)}, now=NOW, caller=SYSTEM)
    record(project_id=project.pk, fields={**fields, **tokens, "record_id": "u-2"}, now=timezone.now())
    model_price_delete(price=ModelPrice.objects.get(), now=NOW, caller=SYSTEM)
    record(project_id=project.pk, fields={**fields, **tokens, "record_id": "u-3"}, now=timezone.now())
    rows = TokenUsage.objects.order_by("pk").values_list("cost", "cost_status", "price_source")
    listed = f"model-price {price.pk}"
    assert list(rows) == [(2, "computed", listed), (5, "computed", listed), (None, "unknown", "")]
