"""The price of a use of tokens, from the function that the settings name; the app above provides it."""

from collections.abc import Callable
from decimal import Decimal
from functools import lru_cache
from typing import NamedTuple

from django.conf import settings
from django.utils.module_loading import import_string

from history_app.services.drafts import TokenUsageDraft


class Price(NamedTuple):
    """What a use costs in USD, and by which price list (its name and version, at most 64 characters)."""

    amount: Decimal
    source: str


PriceFunction = Callable[[int, TokenUsageDraft], Price | None]


@lru_cache(maxsize=4)
def _named(path: str) -> PriceFunction:
    function: PriceFunction = import_string(path)
    return function


def price_of(project_id: int, usage: TokenUsageDraft) -> Price | None:
    """Return what AGENTLEDGER_PRICE_FUNCTION says the use costs, or None where there is no price.

    The function takes the project's id and the draft. It is called while sessions are locked: it must answer from
    memory.
    """
    path = settings.AGENTLEDGER_PRICE_FUNCTION
    return _named(path)(project_id, usage) if path else None
