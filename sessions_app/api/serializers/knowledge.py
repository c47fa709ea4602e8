"""Knowledge sources and documents."""

from config.shared.api.fields import IntegerValue, JsonValue
from config.shared.api.serializers import LedgerSerializer
from sessions_app.models import Document, KnowledgeSource
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
