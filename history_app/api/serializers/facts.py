"""What the API shows of each kind of fact. What comes in goes to the validator of records (services.records)."""

from functools import cache
from typing import Any

from config.shared.api.fields import IntegerValue, JsonValue, MoneyValue, TextValue
from config.shared.api.serializers import LedgerSerializer
from history_app.api.serializers.fields import ID_LENGTH, Beginning, SessionName, Truncated
from history_app.models import ErrorRecord, LLMCall, Message, Metric, TokenUsage, ToolCall

COMMON = ("id", "session_id", "record_id", "timestamp")
TOOL_DOCUMENTS = ("tool_input", "tool_output")
LLM_DOCUMENTS = ("messages", "parameters", "response")


class FactSerializer(LedgerSerializer):
    """Base of all facts."""

    session_id = SessionName()
    record_id = TextValue(max_length=ID_LENGTH, required=False)


class MessageSerializer(FactSerializer):
    """One message. `content` is text, or whatever structure was sent."""

    content = JsonValue(source="body", required=False, allow_null=True)

    class Meta:
        model = Message
        fields = (*COMMON, "sequence", "role", "content", "metadata")
        read_only_fields = ("sequence",)
        masked_fields = ("content",)


class SessionMessageSerializer(MessageSerializer):
    """One message of the session that the address names."""

    session_id = SessionName(required=False)


class ToolCallSerializer(FactSerializer):
    """One tool call, with its documents in full. `task` is the task's id."""

    task = IntegerValue(source="task_id", required=False, allow_null=True)

    class Meta:
        model = ToolCall
        fields: tuple[str, ...] = (
            *COMMON,
            "task",
            "tool_name",
            *TOOL_DOCUMENTS,
            "status",
            "error_message",
            "execution_time",
            "metadata",
        )
        masked_fields = (*TOOL_DOCUMENTS, "error_message")


class ToolCallListSerializer(ToolCallSerializer):
    """One tool call in a list: of large documents the beginning."""

    tool_input = Beginning()
    tool_output = Beginning()
    truncated = Truncated(TOOL_DOCUMENTS)

    class Meta(ToolCallSerializer.Meta):
        fields = (*ToolCallSerializer.Meta.fields, "truncated")


class LLMCallSerializer(FactSerializer):
    """One LLM call with its response, once that came."""

    request_id = TextValue(max_length=ID_LENGTH, required=False)
    model = TextValue(max_length=ID_LENGTH, required=False)

    class Meta:
        model = LLMCall
        fields: tuple[str, ...] = (
            *COMMON,
            "request_id",
            "model",
            "provider",
            *LLM_DOCUMENTS,
            "token_usage",
            "response_time",
            "responded_at",
            "response_record_id",
            "metadata",
            "response_metadata",
        )
        masked_fields = LLM_DOCUMENTS


class LLMCallListSerializer(LLMCallSerializer):
    """One LLM call in a list: of large documents the beginning."""

    messages = Beginning(empty="[]")
    parameters = Beginning(empty="{}")
    response = Beginning()
    truncated = Truncated(LLM_DOCUMENTS)

    class Meta(LLMCallSerializer.Meta):
        fields = (*LLMCallSerializer.Meta.fields, "truncated")


class TokenUsageSerializer(FactSerializer):
    """One use of tokens. `cost` (USD) is the reported one, else what was computed, else null."""

    model = TextValue(max_length=ID_LENGTH, required=False)
    reported_cost = MoneyValue(required=False, allow_null=True)
    cost = MoneyValue(read_only=True)

    class Meta:
        model = TokenUsage
        fields = (
            *COMMON,
            "user_id",
            "model",
            "provider",
            "prompt_tokens",
            "completion_tokens",
            "total_tokens",
            "cache_read_tokens",
            "cache_write_tokens",
            "source",
            "reported_cost",
            "cost",
            "cost_status",
            "price_source",
            "cost_record_id",
            "metadata",
        )
        read_only_fields = ("cost_status", "price_source", "cost_record_id")


class ErrorSerializer(FactSerializer):
    """One error."""

    class Meta:
        model = ErrorRecord
        fields = (*COMMON, "error_id", "error_type", "error_message", "stack_trace", "severity", "metadata")
        masked_fields = ("error_message", "stack_trace")


class MetricSerializer(FactSerializer):
    """One measured number."""

    class Meta:
        model = Metric
        fields = (*COMMON, "metric_type", "metric_value", "metadata")


@cache
def shown_only(serializer_class: type[LedgerSerializer]) -> frozenset[str]:
    """Return the names that answers carry but that nobody states: a client may send back what it got."""
    serializer: Any = serializer_class()
    return frozenset(name for name, field in serializer.fields.items() if field.read_only) | {"truncated"}
