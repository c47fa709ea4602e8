"""What the API shows of sums."""

from typing import Any

from rest_framework import serializers

from config.shared.api.fields import MoneyValue


class HoldingsSerializer(serializers.Serializer[Any]):
    """How many rows of each kind came in, the tokens used, and the cost in USD as far as it is known."""

    sessions = serializers.IntegerField()
    messages = serializers.IntegerField()
    tool_calls = serializers.IntegerField()
    llm_calls = serializers.IntegerField()
    errors = serializers.IntegerField()
    tasks = serializers.IntegerField()
    token_usage = serializers.IntegerField()
    prompt_tokens = serializers.IntegerField()
    completion_tokens = serializers.IntegerField()
    total_tokens = serializers.IntegerField()
    cost = MoneyValue()


class DaySerializer(HoldingsSerializer):
    """One day in UTC."""

    date = serializers.DateField()


class ProjectOverviewSerializer(serializers.Serializer[Any]):
    """One project's days, oldest first, and their totals."""

    project = serializers.CharField()
    totals = HoldingsSerializer()
    days = DaySerializer(many=True)


class OverviewSerializer(serializers.Serializer[Any]):
    """What came in during the days from `start` to `end`, both included."""

    start = serializers.DateField()
    end = serializers.DateField()
    projects = ProjectOverviewSerializer(many=True)
