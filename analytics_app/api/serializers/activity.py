"""What the API shows of performance, of sessions in figures, and of what is stored."""

from typing import Any

from rest_framework import serializers


class SystemMetricSerializer(serializers.Serializer[Any]):
    """One kind of metric."""

    metric_type = serializers.CharField()
    count = serializers.IntegerField()
    average = serializers.FloatField()
    least = serializers.FloatField()
    greatest = serializers.FloatField()


class SystemPerformanceSerializer(serializers.Serializer[Any]):
    """How fast models and tools answered in a period; seconds, 0 where nothing was measured."""

    start = serializers.DateTimeField()
    end = serializers.DateTimeField()
    session_id = serializers.CharField(allow_null=True)
    request_count = serializers.IntegerField()
    tool_call_count = serializers.IntegerField()
    message_count = serializers.IntegerField()
    error_count = serializers.IntegerField()
    avg_response_time = serializers.FloatField()
    min_response_time = serializers.FloatField()
    max_response_time = serializers.FloatField()
    p50_response_time = serializers.FloatField()
    p95_response_time = serializers.FloatField()
    p99_response_time = serializers.FloatField()
    avg_execution_time = serializers.FloatField()
    min_execution_time = serializers.FloatField()
    max_execution_time = serializers.FloatField()
    p50_execution_time = serializers.FloatField()
    p95_execution_time = serializers.FloatField()
    p99_execution_time = serializers.FloatField()
    throughput = serializers.FloatField(help_text="LLM calls a minute.")
    error_rate = serializers.FloatField(help_text="Errors to messages, from 0 to 1.")
    metrics = SystemMetricSerializer(many=True)


class SessionDaySerializer(serializers.Serializer[Any]):
    """The sessions that began on one day."""

    date = serializers.DateField()
    count = serializers.IntegerField()


class SessionFiguresSerializer(serializers.Serializer[Any]):
    """The sessions that began in a period."""

    start = serializers.DateTimeField()
    end = serializers.DateTimeField()
    total_sessions = serializers.IntegerField()
    active_sessions = serializers.IntegerField()
    by_status = serializers.DictField(child=serializers.IntegerField())
    average_duration = serializers.FloatField(help_text="Seconds.")
    success_rate = serializers.FloatField(allow_null=True, help_text="Percent; null where no session has ended.")
    error_count = serializers.IntegerField()
    by_day = SessionDaySerializer(many=True)


class HoldingSerializer(serializers.Serializer[Any]):
    """How many rows there are of one kind; `exact` is false where the number is an estimate."""

    kind = serializers.CharField()
    count = serializers.IntegerField()
    exact = serializers.BooleanField()


class StorageSerializer(serializers.Serializer[Any]):
    """What is stored."""

    kinds = HoldingSerializer(many=True)
