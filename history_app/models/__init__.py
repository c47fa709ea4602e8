"""The tables of the past: one model per kind of fact."""

from history_app.models.arrivals import Arrival
from history_app.models.calls import LLMCall, ToolCall
from history_app.models.facts import Fact, FactQuerySet
from history_app.models.measures import ErrorRecord, Metric
from history_app.models.messages import Message
from history_app.models.search import SearchBlock, SearchDirty, SearchPage, SearchProgress
from history_app.models.tasks import Subtask, Task
from history_app.models.usage import TokenUsage

__all__ = [
    "Arrival",
    "ErrorRecord",
    "Fact",
    "FactQuerySet",
    "LLMCall",
    "Message",
    "Metric",
    "SearchBlock",
    "SearchDirty",
    "SearchPage",
    "SearchProgress",
    "Subtask",
    "Task",
    "TokenUsage",
    "ToolCall",
]
