"""Which cost belongs to which use of tokens, when both are reported apart (api.md, "A `cost` record").

They belong together when session, model, tokens and time agree. Several that agree are paired one to one in the order
of their record ids, so that the pairs are the same whichever record came first; uses that state no cost themselves
come first.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from history_app.services.drafts import CostDraft, MeasuredDraft, TokenUsageDraft

PairKey = tuple[int, str, int | None, int | None, int | None, datetime]


@dataclass(slots=True, eq=False)
class Use:
    """One use of tokens with its cost, as far as it is known; without `usage` a cost that stands alone.

    `cost` is the cost record; a use may state a cost itself besides. `pk` is that of its row, where it has one, and
    `was` the cost record that stands in that row.
    """

    session: int
    usage: TokenUsageDraft | None = None
    cost: CostDraft | None = None
    pk: int | None = None
    was: CostDraft | None = None

    @property
    def key(self) -> PairKey:
        """What a use and a cost have in common when they belong together."""
        return pair_key(self.session, self.usage or self.cost)  # type: ignore[arg-type]


@dataclass(slots=True)
class Group:
    """The uses and costs with one key. `alone` are the rows of costs that stand alone so far."""

    uses: list[Use] = field(default_factory=list)
    costs: list[CostDraft] = field(default_factory=list)
    alone: dict[str, Use] = field(default_factory=dict)

    def add(self, use: Use) -> None:
        """Take in a use that is stored."""
        if use.usage is not None:
            self.uses.append(use)
        if use.cost is not None:
            self.costs.append(use.cost)
            if use.usage is None:
                self.alone[use.cost.record_id] = use

    def pair(self, session: int) -> list[Use]:
        """Give each use its cost, and return all rows that there shall be."""
        uses = sorted(self.uses, key=_turn)
        costs = sorted(self.costs, key=lambda cost: cost.record_id)
        for place, use in enumerate(uses):
            use.cost = costs[place] if place < len(costs) else None
        left = costs[len(uses) :]
        return [*self.uses, *(self.alone.get(cost.record_id) or Use(session, cost=cost) for cost in left)]


def _turn(use: Use) -> tuple[bool, str]:
    """Return when it is the use's turn to be given a cost."""
    assert use.usage is not None  # noqa: S101
    return use.usage.reported_cost is not None, use.usage.record_id


def pair_key(session: int, draft: MeasuredDraft) -> PairKey:
    """Return what a cost and the use it belongs to have in common."""
    return (
        session,
        draft.model,
        draft.prompt_tokens,
        draft.completion_tokens,
        draft.total_tokens,
        draft.timestamp,
    )


def grouped(uses: Iterable[Use]) -> dict[PairKey, Group]:
    """Return stored uses by their keys."""
    groups: dict[PairKey, Group] = {}
    for use in uses:
        groups.setdefault(use.key, Group()).add(use)
    return groups
