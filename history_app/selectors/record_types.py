"""The record types of the timeline: which rows of which table each one stands for, and where in time.

A row may stand for two records: an LLM call for its request and its response, a use of tokens for itself and its cost.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from django.db.models import F, Model, Q, QuerySet

from config.shared.querysets import starts_with
from history_app.models import ErrorRecord, LLMCall, Message, Metric, TokenUsage, ToolCall
from history_app.models.usage import ALONE_PREFIX, ALONE_SOURCE
from sessions_app.models import Session

# A cost that no use of tokens stands beside: a row of its own.
COST_ALONE = Q(source=ALONE_SOURCE, cost_record_id__isnull=False) & starts_with("record_id", ALONE_PREFIX)
# A response whose request never came stands in for it (see services.ingest.llm_calls).
RESPONSE_ALONE = Q(
    record_id=F("response_record_id"),
    timestamp=F("responded_at"),
    metadata__isnull=True,
    messages__isnull=True,
    parameters__isnull=True,
)


@dataclass(frozen=True, slots=True)
class RecordType:
    """One record type. At the same moment the lower rank comes first; `tie` orders records of the type itself."""

    name: str
    rank: int
    model: type[Model]
    time: str = "timestamp"
    where: Q = field(default_factory=Q)
    tie: str = "id"

    def rows(self, session: Session) -> QuerySet[Any]:
        """Return the session's rows that hold a record of the type."""
        found: QuerySet[Any] = self.model._default_manager.filter(self.where, session=session)
        return found


RECORD_TYPES = (
    RecordType("message", 0, Message, tie="sequence"),
    RecordType("llm_request", 1, LLMCall, where=~RESPONSE_ALONE),
    RecordType("llm_response", 2, LLMCall, time="responded_at", where=Q(response_record_id__isnull=False)),
    RecordType("token_usage", 3, TokenUsage, where=~COST_ALONE),
    RecordType("cost", 4, TokenUsage, where=Q(cost_record_id__isnull=False)),
    RecordType("tool_call", 5, ToolCall),
    RecordType("error", 6, ErrorRecord),
    RecordType("metric", 7, Metric),
)
BY_NAME = {kind.name: kind for kind in RECORD_TYPES}
NAMES = tuple(BY_NAME)


def chosen(names: Iterable[str]) -> tuple[RecordType, ...]:
    """Return the types of these names, or all where none is named. Raises KeyError for an unknown one."""
    wanted = {BY_NAME[name].name for name in names}
    return tuple(kind for kind in RECORD_TYPES if not wanted or kind.name in wanted)
