"""How OpenAPI describes records as they are read; selectors.record_forms makes them."""

from typing import Any

from drf_spectacular.utils import extend_schema_serializer
from rest_framework import serializers

from history_app.selectors.record_types import NAMES


@extend_schema_serializer(component_name="Record")
class RecordSerializer(serializers.Serializer[Any]):
    """What every record has, beside the fields of its type."""

    record_type = serializers.ChoiceField(choices=NAMES)
    session_id = serializers.CharField()
    record_id = serializers.CharField()
    timestamp = serializers.DateTimeField()
    metadata = serializers.DictField()
    truncated = serializers.BooleanField(required=False, help_text="A large document is shown by its beginning.")


class TimelineSerializer(serializers.Serializer[Any]):
    """One page of a session's records."""

    count = serializers.IntegerField(required=False, help_text="Only with count=true.")
    next = serializers.URLField(allow_null=True)
    previous = serializers.URLField(allow_null=True)
    results = RecordSerializer(many=True)


class ExportSerializer(serializers.Serializer[Any]):
    """A session as one document. `session` and `state` have the fields that their own addresses show."""

    exported_at = serializers.DateTimeField()
    session = serializers.DictField()
    state = serializers.DictField(allow_null=True)
    tasks = serializers.ListField(child=serializers.DictField())
    records = RecordSerializer(many=True)
    total_records = serializers.IntegerField(help_text="Tasks and records.")
