"""What a use of tokens costs: the function that history asks for at the moment of recording."""

from analytics_app.services.own_prices import own_rates
from analytics_app.services.public_prices import public_rates
from history_app.services.drafts import TokenUsageDraft
from history_app.services.ingest.prices import Price


def usage_price(project_id: int, usage: TokenUsageDraft) -> Price | None:
    """Return the cost of a use in USD and the price list it is from, or None: an unknown price is never taken for 0.

    The project's own prices come first, then the public ones; both as they were at the time of the use. The cost is
    frozen on the row, so a later change of prices leaves it as it is.
    """
    if not usage.model:
        return None
    provider, model, at = usage.provider, usage.model, usage.timestamp
    own = own_rates(project_id=project_id, provider=provider, model=model, at=at)
    rates = own or public_rates(provider=provider, model=model, at=at)
    amount = rates.cost(usage) if rates else None
    return None if rates is None or amount is None else Price(amount, rates.source)
