"""What the API shows of figures; the selectors compute them."""

from typing import Any

from rest_framework import serializers


class TypicalTimesSerializer(serializers.Serializer[Any]):
    """How long tool calls took, in seconds; 0 where nothing was measured."""

    avg_execution_time = serializers.FloatField()
    p50_execution_time = serializers.FloatField()
    p95_execution_time = serializers.FloatField()
    p99_execution_time = serializers.FloatField()


class ExecutionTimesSerializer(TypicalTimesSerializer):
    """How long tool calls took, with the extremes."""

    min_execution_time = serializers.FloatField()
    max_execution_time = serializers.FloatField()


class SummarySerializer(serializers.Serializer[Any]):
    """How many messages a session has, and from when to when."""

    session_id = serializers.CharField()
    message_count = serializers.IntegerField()
    start_time = serializers.DateTimeField(allow_null=True)
    end_time = serializers.DateTimeField(allow_null=True)
    duration = serializers.FloatField(help_text="Seconds.")


class SessionStatisticsSerializer(serializers.Serializer[Any]):
    """What happened in a session."""

    session_id = serializers.CharField()
    total_messages = serializers.IntegerField()
    total_tool_calls = serializers.IntegerField()
    total_llm_calls = serializers.IntegerField()
    total_errors = serializers.IntegerField()
    start_time = serializers.DateTimeField(allow_null=True)
    end_time = serializers.DateTimeField(allow_null=True)
    duration_seconds = serializers.FloatField()
    success_rate = serializers.FloatField(help_text="Messages without an error, in percent; 100 without messages.")
    total_prompt_tokens = serializers.IntegerField()
    total_completion_tokens = serializers.IntegerField()
    total_tokens = serializers.IntegerField()
    total_cost = serializers.CharField(allow_null=True, help_text="USD, exact; null where no cost is known.")
    messages_by_role = serializers.DictField(child=serializers.IntegerField())
    records_by_type = serializers.DictField(child=serializers.IntegerField())


class MetricFiguresSerializer(serializers.Serializer[Any]):
    """The values of one metric that agents reported."""

    metric_type = serializers.CharField()
    count = serializers.IntegerField()
    avg = serializers.FloatField()
    min = serializers.FloatField()
    max = serializers.FloatField()
    p50 = serializers.FloatField()
    p95 = serializers.FloatField()
    p99 = serializers.FloatField()


class PerformanceSerializer(ExecutionTimesSerializer):
    """How long models and tools took in a session, in seconds; 0 where nothing was measured."""

    session_id = serializers.CharField()
    request_count = serializers.IntegerField(help_text="Answers of models whose response time is known.")
    avg_response_time = serializers.FloatField()
    min_response_time = serializers.FloatField()
    max_response_time = serializers.FloatField()
    p50_response_time = serializers.FloatField()
    p95_response_time = serializers.FloatField()
    p99_response_time = serializers.FloatField()
    throughput = serializers.FloatField(help_text="Model requests a minute, from the first to the last answer.")
    error_rate = serializers.FloatField(help_text="Errors a message, from 0 to 1.")
    total_tokens = serializers.IntegerField()
    metrics = MetricFiguresSerializer(many=True, help_text="The 100 metrics with the most values.")


class OutcomesSerializer(serializers.Serializer[Any]):
    """How some tool calls ended."""

    total_calls = serializers.IntegerField()
    success_calls = serializers.IntegerField()
    failure_calls = serializers.IntegerField()
    pending_calls = serializers.IntegerField()
    success_rate = serializers.FloatField(help_text="From 0 to 1.")


class ToolFiguresSerializer(OutcomesSerializer, TypicalTimesSerializer):
    """The calls of one tool."""

    tool_name = serializers.CharField()
    measured_calls = serializers.IntegerField()


class ToolSessionSerializer(OutcomesSerializer):
    """The calls in one session."""

    session_id = serializers.CharField()


class ToolDaySerializer(OutcomesSerializer):
    """The calls of one day (UTC)."""

    date = serializers.DateField()
    measured_calls = serializers.IntegerField()
    avg_execution_time = serializers.FloatField()


class ToolStatisticsSerializer(OutcomesSerializer, ExecutionTimesSerializer):
    """Tool calls in figures; times are seconds, 0 where nothing was measured."""

    measured_calls = serializers.IntegerField(help_text="Calls whose execution time is known.")
    by_tool = ToolFiguresSerializer(many=True, help_text="The 100 tools with the most calls.")
    by_session = ToolSessionSerializer(many=True, help_text="The 100 sessions with the most calls.")
    trend = ToolDaySerializer(many=True)


class ErrorTypeSerializer(serializers.Serializer[Any]):
    """The errors of one type."""

    error_type = serializers.CharField()
    count = serializers.IntegerField()
    session_count = serializers.IntegerField()


class ErrorSessionSerializer(serializers.Serializer[Any]):
    """The errors in one session."""

    session_id = serializers.CharField()
    count = serializers.IntegerField()


class ErrorDaySerializer(serializers.Serializer[Any]):
    """The errors of one day (UTC)."""

    date = serializers.DateField()
    count = serializers.IntegerField()


class ErrorStatisticsSerializer(serializers.Serializer[Any]):
    """Errors in figures."""

    error_count = serializers.IntegerField()
    session_count = serializers.IntegerField(help_text="Sessions with at least one error.")
    error_by_severity = serializers.DictField(child=serializers.IntegerField())
    error_by_type = ErrorTypeSerializer(many=True, help_text="The 100 most frequent types.")
    error_by_session = ErrorSessionSerializer(many=True, help_text="The 100 sessions with the most errors.")
    error_trends = ErrorDaySerializer(many=True)
