"""The shapes in which records come in (document 000's names and api.md's), one struct a record type."""

from datetime import datetime
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from config.shared.fields import MAX_TOKENS

Id = Annotated[str, Meta(min_length=1, max_length=255)]
Name = Annotated[str, Meta(max_length=255)]
Provider = Annotated[str, Meta(max_length=100)]
Source = Annotated[str, Meta(max_length=32)]
Tokens = Annotated[int, Meta(ge=0, le=MAX_TOKENS)]
Role = Literal["user", "assistant", "system", "tool"]
Work = Literal["pending", "in_progress", "completed", "failed", "cancelled"]
# Far above any session, and exact in every client's numbers.
Number = Annotated[int, Meta(ge=1, le=2**53 - 1)]


class Incoming(Struct, tag_field="record_type", kw_only=True):
    """What every record has; without an id or a time it is given one."""

    session_id: Id
    record_id: Id | None = None
    timestamp: datetime | None = None
    metadata: dict[str, Any] | None = None


class Message(Incoming, tag="message"):
    """`message_type` is document 000's name of `role`. `sequence` is the number that it had where it comes from."""

    sequence: Number | None = None
    role: Role | None = None
    message_type: Role | None = None
    content: Any = None


class ToolCall(Incoming, tag="tool_call"):
    """`success` is document 000's form of `status`."""

    tool_name: Id
    task: int | Id | None = None
    tool_input: Any = None
    tool_output: Any = None
    status: Literal["success", "error", "pending"] | None = None
    success: bool | None = None
    error_message: str | None = None
    execution_time: float | None = None


class LLMRequest(Incoming, tag="llm_request"):
    """Without a `request_id` the record's own id joins the response to it."""

    request_id: Id | None = None
    model: Name | None = None
    provider: Provider | None = None
    messages: Any = None
    parameters: Any = None


class LLMResponse(Incoming, tag="llm_response"):
    """The answer to the request with the same `request_id`."""

    request_id: Id | None = None
    model: Name | None = None
    provider: Provider | None = None
    response: Any = None
    token_usage: Any = None
    response_time: float | None = None


class Measured(Incoming):
    """Who used how many tokens of what."""

    user_id: Name | None = None
    model: Name | None = None
    provider: Provider | None = None
    prompt_tokens: Tokens | None = None
    completion_tokens: Tokens | None = None
    total_tokens: Tokens | None = None


class TokenUsage(Measured, tag="token_usage"):
    """`cost` is another name of `reported_cost`."""

    cache_read_tokens: Tokens | None = None
    cache_write_tokens: Tokens | None = None
    source: Source | None = None
    reported_cost: Any = None
    cost: Any = None


class Cost(Measured, tag="cost"):
    """`cost` and `cost_usd` are other names of `total_cost` (USD)."""

    total_cost: Any = None
    cost: Any = None
    cost_usd: Any = None


class Error(Incoming, tag="error"):
    """An error; `severity` is `error` unless stated."""

    error_type: Id
    error_id: Name | None = None
    error_message: str | None = None
    stack_trace: str | None = None
    severity: Literal["debug", "info", "warning", "error", "critical"] | None = None


class Step(Struct, kw_only=True, forbid_unknown_fields=True):
    """One step of a task; without an index it has its place in the list."""

    description: str
    subtask_index: Annotated[int, Meta(ge=0, le=2**31 - 1)] | None = None
    expected_output: str | None = None
    actual_output: str | None = None
    status: Work | None = None
    context: dict[str, Any] | None = None
    validation_report: dict[str, Any] | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None


class Task(Incoming, tag="task"):
    """A task with its steps; its time is that of its creation."""

    user_input: str
    status: Work | None = None
    results: Any = None
    updated_at: datetime | None = None
    subtasks: list[Step] | None = None


class Metric(Incoming, tag="metric"):
    """A number with a name."""

    metric_type: Id
    metric_value: float
