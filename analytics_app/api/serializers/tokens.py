"""What the API shows of token figures and costs."""

from typing import Any

from rest_framework import serializers

from config.shared.api.fields import MoneyValue


class SumsSerializer(serializers.Serializer[Any]):
    """What was used; `cost` (USD) adds up what is known, `unpriced` counts the uses whose cost is not."""

    uses = serializers.IntegerField()
    prompt_tokens = serializers.IntegerField()
    completion_tokens = serializers.IntegerField()
    total_tokens = serializers.IntegerField()
    cache_read_tokens = serializers.IntegerField()
    cache_write_tokens = serializers.IntegerField()
    cost = MoneyValue()
    unpriced = serializers.IntegerField()


class PeriodSerializer(SumsSerializer):
    """One period's figures, with the tokens of each model and the number of users."""

    model_usage = serializers.DictField(child=serializers.IntegerField())
    user_count = serializers.IntegerField()


class TokenDaySerializer(PeriodSerializer):
    """One day in the asked time zone."""

    date = serializers.DateField()


class TokenMonthSerializer(PeriodSerializer):
    """One month in the asked time zone."""

    month = serializers.CharField(help_text="Such as 2026-03.")


class TokenUserSerializer(SumsSerializer):
    """One user's place on a day."""

    rank = serializers.IntegerField()
    user_id = serializers.CharField()


class DashboardSerializer(serializers.Serializer[Any]):
    """Today beside yesterday."""

    date = serializers.DateField()
    today_tokens = serializers.IntegerField()
    yesterday_tokens = serializers.IntegerField()
    growth_rate = serializers.FloatField(allow_null=True, help_text="Percent; null where yesterday had no tokens.")
    model_usage = serializers.DictField(child=serializers.IntegerField())
    user_count = serializers.IntegerField()
    today_cost = MoneyValue()
    yesterday_cost = MoneyValue()
    unpriced = serializers.IntegerField(help_text="Uses of today whose cost is not known.")


class CostGroupSerializer(SumsSerializer):
    """One group, under what it was cut by."""

    model = serializers.CharField(required=False)
    provider = serializers.CharField(required=False)
    user_id = serializers.CharField(required=False)
    session_id = serializers.CharField(required=False)
    date = serializers.DateField(required=False)


class CostsSerializer(serializers.Serializer[Any]):
    """What a period cost."""

    start = serializers.DateTimeField()
    end = serializers.DateTimeField()
    by = serializers.CharField()
    total = SumsSerializer()
    groups = CostGroupSerializer(many=True)
