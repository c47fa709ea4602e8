"""Knowledge sources and documents."""

from rest_framework import serializers

from config.shared.api.fields import ChoiceValue, IntegerValue, JsonValue, TextValue
from config.shared.api.serializers import LedgerSerializer, StrictInput
from sessions_app.models import Document, KnowledgeSource
from sessions_app.services.documents.changes import Kind
from sessions_app.services.drafts import GREATEST_COUNT


class KnowledgeSourceSerializer(LedgerSerializer):
    """One place that agents draw knowledge from."""

    class Meta:
        model = KnowledgeSource
        fields = (
            "id",
            "source_name",
            "source_path",
            "source_type",
            "status",
            "metadata",
            "deleted_at",
            "created_at",
            "updated_at",
        )
        read_only_fields = ("id", "deleted_at", "created_at", "updated_at")


class DocumentSerializer(LedgerSerializer):
    """One JSON value under a namespace and a key."""

    value = JsonValue(allow_null=True)
    ttl = IntegerValue(
        write_only=True,
        required=False,
        allow_null=True,
        min_value=1,
        max_value=GREATEST_COUNT,
        help_text="Seconds from now until the document is gone; absent or null: never.",
    )

    class Meta:
        model = Document
        fields = ("namespace", "key", "value", "ttl", "expires_at", "created_at", "updated_at", "version")
        read_only_fields = ("namespace", "key", "expires_at", "created_at", "updated_at", "version")
        masked_fields = ("value",)


class DocumentOperationSerializer(StrictInput):
    """One operation of a transaction."""

    op = ChoiceValue(choices=[(kind.value, kind.value) for kind in Kind])
    namespace = TextValue()
    key = TextValue()
    value = JsonValue(required=False, allow_null=True)
    field = TextValue(required=False, help_text="Of an object: what set_field sets.")
    ttl = IntegerValue(required=False, allow_null=True, min_value=1, max_value=GREATEST_COUNT)
    version = IntegerValue(
        required=False, min_value=1, max_value=GREATEST_COUNT, help_text="The version it is meant for."
    )

    def validate(self, attrs):
        """Ask for what the operation needs."""
        op = attrs["op"]
        if "value" not in attrs and op in (Kind.SAVE, Kind.SET_FIELD):
            raise serializers.ValidationError({"value": "This operation needs a value."})
        if ("field" in attrs) is not (op == Kind.SET_FIELD):
            raise serializers.ValidationError({"field": "A field is for set_field, which needs it."})
        return attrs


class DocumentTransactionSerializer(StrictInput):
    """Operations that are done all or none."""

    operations = DocumentOperationSerializer(many=True)


class DocumentResultsSerializer(serializers.Serializer):
    """What each operation left: the document, null after a deletion."""

    results = DocumentSerializer(many=True, read_only=True)
