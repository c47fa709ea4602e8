"""Drafts: records that passed the validator, each field in the form in which it will be stored.

A document is its JSON text, or None where it is empty; times are in UTC; money is a Decimal.
"""

from datetime import datetime
from decimal import Decimal

import msgspec


class Draft(msgspec.Struct, kw_only=True):
    """What every record has. `timed` is False where the record came without a time and was given the present one."""

    session_id: str
    record_id: str
    timestamp: datetime
    timed: bool = True
    metadata: str | None = None


class MessageDraft(Draft):
    """One message. A content that is no text stands in `structured_content`, with its text parts in `content`.

    `sequence` is the number that it had elsewhere; it keeps it where that is above all numbers given in the session.
    """

    role: str
    content: str | None = None
    structured_content: str | None = None
    sequence: int | None = None


class ToolCallDraft(Draft):
    """One tool call. `task` is the task's number, or its record id within the session."""

    tool_name: str
    task: int | str | None = None
    tool_input: str | None = None
    tool_output: str | None = None
    status: str = "pending"
    error_message: str = ""
    execution_time: float | None = None


class LLMRequestDraft(Draft):
    """What was asked of a language model."""

    request_id: str
    model: str = ""
    provider: str = ""
    messages: str | None = None
    parameters: str | None = None


class LLMResponseDraft(Draft):
    """What a language model answered to the request of the same `request_id`."""

    request_id: str
    model: str = ""
    provider: str = ""
    response: str | None = None
    token_usage: str | None = None
    response_time: float | None = None


class MeasuredDraft(Draft):
    """Tokens of one model call. `user_id` is empty where the session's user is meant."""

    user_id: str = ""
    model: str = ""
    provider: str = ""
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    total_tokens: int | None = None


class TokenUsageDraft(MeasuredDraft):
    """One use of tokens; `reported_cost` (USD) only where the same record states it."""

    cache_read_tokens: int | None = None
    cache_write_tokens: int | None = None
    source: str = ""
    reported_cost: Decimal | None = None


class CostDraft(MeasuredDraft):
    """The cost (USD) of the use of tokens beside it."""

    total_cost: Decimal | None = None


class ErrorDraft(Draft):
    """One error."""

    error_type: str
    error_id: str = ""
    error_message: str = ""
    stack_trace: str = ""
    severity: str = "error"


class MetricDraft(Draft):
    """One measured number."""

    metric_type: str
    metric_value: float


class StepDraft(msgspec.Struct, kw_only=True):
    """One step of a task; times that are None are the task's."""

    subtask_index: int
    description: str
    expected_output: str = ""
    actual_output: str = ""
    status: str = "pending"
    context: str | None = None
    validation_report: str | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None


class TaskDraft(Draft):
    """One task with its steps, created at its time; `updated_at` is None where it has not changed since."""

    user_input: str
    status: str = "pending"
    results: str | None = None
    updated_at: datetime | None = None
    subtasks: list[StepDraft] = msgspec.field(default_factory=list)
