"""How a use of tokens and its cost stand in one row, and how both are read back from it."""

import hashlib
import json
from decimal import Decimal
from typing import Any

from config.shared.fields import amount_text
from history_app.models.cost_notes import json_of, note_added, note_split, stated_cost
from history_app.models.usage import ALONE_PREFIX, ALONE_SOURCE, stands_alone
from history_app.services.drafts import CostDraft, TokenUsageDraft
from history_app.services.ingest.columns import Row
from history_app.services.ingest.pairing import Use
from history_app.services.ingest.prices import Price, price_of

TOKENS = ("prompt_tokens", "completion_tokens", "total_tokens")
CACHE_TOKENS = ("cache_read_tokens", "cache_write_tokens")
COLUMNS = (
    "project_id", "session_id", "record_id", "timestamp", "metadata", "user_id", "model", "provider", *TOKENS,
    *CACHE_TOKENS, "source", "reported_cost", "cost", "cost_status", "price_source", "cost_record_id",
)  # fmt: skip
MAX_ID = 255


def row_of(use: Use, project_id: int, session_user: str) -> Row:
    """Return the row of a use; `session_user` stands in for a user that the record does not name."""
    if use.usage is None:
        return _alone_row(use, project_id, session_user)
    usage, cost = use.usage, use.cost
    reported = usage.reported_cost if cost is None or cost.total_cost is None else cost.total_cost
    return (
        project_id,
        use.session,
        usage.record_id,
        usage.timestamp,
        note_added(usage.metadata, _note(usage, cost)) if cost else usage.metadata,
        usage.user_id or session_user,
        usage.model,
        usage.provider,
        *(getattr(usage, name) for name in (*TOKENS, *CACHE_TOKENS)),
        usage.source,
        *_cost_columns(reported, price_of(project_id, usage) if reported is None else None),
        cost.record_id if cost else None,
    )


def _alone_row(use: Use, project_id: int, session_user: str) -> Row:
    cost = use.cost
    assert cost is not None  # noqa: S101
    return (
        project_id,
        use.session,
        alone_id(cost.record_id),
        cost.timestamp,
        cost.metadata,
        cost.user_id or session_user,
        cost.model,
        cost.provider,
        *(getattr(cost, name) for name in TOKENS),
        *(None for _name in CACHE_TOKENS),
        ALONE_SOURCE,
        *_cost_columns(cost.total_cost, None),
        cost.record_id,
    )


def alone_id(record_id: str) -> str:
    """Return the record id of a cost's own row: apart from those of uses, which may have the same ids."""
    whole = ALONE_PREFIX + record_id
    return whole if len(whole) <= MAX_ID else ALONE_PREFIX + hashlib.sha256(record_id.encode()).hexdigest()


def _cost_columns(reported: Decimal | None, computed: Price | None) -> tuple[Decimal | None, Decimal | None, str, str]:
    """Return reported_cost, cost, cost_status and price_source: what was reported wins over what was computed."""
    if reported is not None:
        return reported, reported, "reported", ""
    return (None, None, "unknown", "") if computed is None else (None, computed.amount, "computed", computed.source)


def _note(usage: TokenUsageDraft, cost: CostDraft) -> dict[str, Any]:
    """Return what the row's columns do not say: of the cost, and of the cost that the use states itself."""
    names = {name: getattr(cost, name) for name in ("user_id", "provider")}
    note: dict[str, Any] = {name: own for name, own in names.items() if own and own != getattr(usage, name)}
    if cost.metadata:
        note["metadata"] = json.loads(cost.metadata)
    if usage.reported_cost is not None:
        note["stated_cost"] = amount_text(usage.reported_cost)
        if cost.total_cost is None:
            note["total_cost"] = None
    return note


def use_of(row: dict[str, Any]) -> Use:
    """Return the use that a row stands for: `row_of` the other way round."""
    costed = row["cost_record_id"] is not None
    if costed and stands_alone(row["source"], row["record_id"]):
        cost = _cost_of(row, row["metadata"], {})
        return Use(row["session_id"], cost=cost, was=cost, pk=row["id"])
    metadata, note = note_split(row["metadata"]) if costed else (row["metadata"], {})
    usage = TokenUsageDraft(
        session_id="",
        metadata=metadata,
        reported_cost=stated_cost(note) if costed else row["reported_cost"],
        **{name: row[name] for name in ("record_id", "timestamp", "user_id", "model", "provider", "source")},
        **{name: row[name] for name in (*TOKENS, *CACHE_TOKENS)},
    )
    joined = _cost_of(row, json_of(note.get("metadata", {})), note) if costed else None
    return Use(row["session_id"], usage=usage, cost=joined, was=joined, pk=row["id"])


def _cost_of(row: dict[str, Any], metadata: str | None, note: dict[str, Any]) -> CostDraft:
    return CostDraft(
        session_id="",
        record_id=row["cost_record_id"],
        timestamp=row["timestamp"],
        metadata=metadata,
        user_id=note.get("user_id", row["user_id"]),
        provider=note.get("provider", row["provider"]),
        model=row["model"],
        total_cost=note.get("total_cost", row["reported_cost"]),
        **{name: row[name] for name in TOKENS},
    )
