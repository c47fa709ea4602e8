"""How OpenAPI describes records that come in, and what became of them; the validator of the services reads them."""

from rest_framework import serializers

from history_app.services.records import RECORD_TYPES


class IncomingRecordSerializer(serializers.Serializer):
    """What every record has, beside the fields of its type; keys that the type does not know go into its metadata."""

    record_type = serializers.ChoiceField(choices=RECORD_TYPES)
    session_id = serializers.CharField(max_length=255)
    record_id = serializers.CharField(max_length=255, required=False, help_text="Made here when it is left out.")
    timestamp = serializers.DateTimeField(required=False, help_text="Now when it is left out.")
    metadata = serializers.JSONField(required=False)


class RecordErrorSerializer(serializers.Serializer):
    """One fault of a record."""

    pointer = serializers.CharField()
    detail = serializers.CharField()


class RefusedRecordSerializer(serializers.Serializer):
    """One record that was not stored, by its place in the request."""

    index = serializers.IntegerField()
    record_id = serializers.CharField(allow_null=True)
    errors = RecordErrorSerializer(many=True)


class IntakeSerializer(serializers.Serializer):
    """What became of the records; duplicates were stored before, with the same content."""

    accepted = serializers.IntegerField()
    duplicates = serializers.IntegerField()
    rejected = RefusedRecordSerializer(many=True)
