"""Rates: what tokens of a model cost, and what a use of them comes to."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Context, Decimal

from history_app.services.drafts import TokenUsageDraft

_MILLION = -6
# More digits than any product of a count of tokens and a price has: nothing is rounded on the way.
_EXACT = Context(prec=60)


@dataclass(frozen=True, slots=True)
class Rate:
    """USD per million tokens; from so many input tokens on, every token costs the tier's price ("cliff")."""

    base: Decimal
    tiers: tuple[tuple[int, Decimal], ...] = ()

    def at(self, input_tokens: int) -> Decimal:
        """Return the price for a use with so many input tokens."""
        price = self.base
        for start, tier in self.tiers:
            if input_tokens > start:
                price = tier
        return price


@dataclass(frozen=True, slots=True)
class Rates:
    """What a model's tokens cost; `source` names the price list and its version, and is kept with each use."""

    source: str
    input: Rate | None
    output: Rate | None
    cache_read: Rate | None = None
    cache_write: Rate | None = None

    def cost(self, usage: TokenUsageDraft) -> Decimal | None:
        """Return what the use costs in USD, or None where a count or a price that it takes is not known.

        Tokens read from or written to the cache are a part of the prompt's, and cost their own price once. Where there
        are more of them than the prompt has, they were reported beside it, as Anthropic's API does.
        """
        prompt, completion = usage.prompt_tokens, _completion(usage)
        if prompt is None or completion is None:
            return None
        read, written = usage.cache_read_tokens or 0, usage.cache_write_tokens or 0
        plain = prompt if read + written > prompt else prompt - read - written
        parts = (
            (plain, self.input),
            (read, self.cache_read or self.input),
            (written, self.cache_write or self.input),
            (completion, self.output),
        )
        return _sum(parts, plain + read + written)


def _completion(usage: TokenUsageDraft) -> int | None:
    """Return the tokens of the answer; a use whose total is its prompt, such as an embedding, has none."""
    if usage.completion_tokens is None and usage.total_tokens == usage.prompt_tokens:
        return 0
    return usage.completion_tokens


def _sum(parts: Sequence[tuple[int, Rate | None]], input_tokens: int) -> Decimal | None:
    total = Decimal(0)
    for tokens, rate in parts:
        if not tokens:
            continue
        if rate is None:
            return None
        total = _EXACT.add(total, _EXACT.multiply(Decimal(tokens), rate.at(input_tokens)))
    return total.scaleb(_MILLION, _EXACT).normalize(_EXACT)
