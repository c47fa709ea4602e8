"""What the API takes and shows of forks."""

from typing import Any

from rest_framework import serializers

from config.shared.api.fields import IntegerValue, TextValue
from config.shared.api.serializers import StrictInput
from history_app.api.serializers.fields import ID_LENGTH

GREATEST_VERSION = 2**31 - 1


class ForkSerializer(StrictInput):
    """Where to part from the session: everything may be left out."""

    session_id = TextValue(min_length=1, max_length=ID_LENGTH, required=False, help_text="Made here when left out.")
    checkpoint = IntegerValue(
        min_value=1, max_value=GREATEST_VERSION, required=False, help_text="A version of the state."
    )
    message = IntegerValue(min_value=1, required=False, help_text="The number of the last message to be copied.")


class CopiedSerializer(serializers.Serializer[Any]):
    """How many rows of each kind were copied."""

    states = serializers.IntegerField()
    messages = serializers.IntegerField()
    tasks = serializers.IntegerField()
    subtasks = serializers.IntegerField()
    tool_calls = serializers.IntegerField()
    llm_calls = serializers.IntegerField()
    errors = serializers.IntegerField()


class ForkedSerializer(serializers.Serializer[Any]):
    """A session that was parted from another one."""

    session_id = serializers.CharField()
    forked_from = serializers.CharField()
    state_version = serializers.IntegerField(allow_null=True, help_text="Of the state that it begins with.")
    copied = CopiedSerializer()
