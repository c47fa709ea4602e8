"""The public prices of models: those that the package genai-prices carries, looked up without a network."""

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from importlib.metadata import version
from typing import Any

from genai_prices.data_snapshot import get_snapshot
from genai_prices.types import ConditionalPrice, ModelInfo, ModelPrice, TieredPrices

from analytics_app.services.rates import Rate, Rates

SOURCE = f"genai-prices {version('genai-prices')}"
REMEMBERED = 4096


def public_rates(*, provider: str, model: str, at: datetime) -> Rates | None:
    """Return the public prices of a model at a moment, or None where there are none.

    A provider that the list does not know, such as a gateway, leaves the decision to the model's name; in
    `openai/gpt-4o` the part before the slash is taken for the provider.
    """
    found = _model(provider, model)
    return None if found is None else _rates(_valid(found, at))


@lru_cache(REMEMBERED)
def _model(provider: str, model: str) -> ModelInfo | None:
    for name, by in _guesses(provider, model):
        try:
            return get_snapshot().find_provider_model(name, None, by, None)[1]
        except LookupError:
            continue
    return None


def _guesses(provider: str, model: str) -> Iterator[tuple[str, str | None]]:
    if provider:
        yield model, provider
    yield model, None
    maker, slash, name = model.partition("/")
    if slash:
        yield name, maker
        yield name, None


def _valid(model: ModelInfo, at: datetime) -> Any:
    if isinstance(model.prices, ModelPrice):
        return model.prices
    return _conditional(model.prices, at)


def _conditional(prices: list[ConditionalPrice], at: datetime) -> ModelPrice:
    for each in reversed(prices):
        if each.constraint is None or each.constraint.active(at):
            return each.prices
    return prices[0].prices


# The price lists live as long as the process, so their addresses tell them apart.
_KEPT: dict[int, Rates] = {}


def _rates(price: Any) -> Rates:
    kept = _KEPT.get(id(price))
    if kept is None:
        kept = _KEPT[id(price)] = Rates(
            source=SOURCE,
            input=_rate(price.input_mtok),
            output=_rate(price.output_mtok),
            cache_read=_rate(price.cache_read_mtok),
            cache_write=_rate(price.cache_write_mtok),
        )
    return kept


def _rate(price: Decimal | TieredPrices | None) -> Rate | None:
    if price is None:
        return None
    if isinstance(price, TieredPrices):
        return Rate(price.base, tuple((tier.start, tier.price) for tier in price.tiers))
    return Rate(price)
