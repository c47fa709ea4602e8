"""API keys, the audit log, and projects."""

from config.shared.api.fields import TextValue
from config.shared.api.serializers import LedgerSerializer
from sessions_app.models import ApiKey, AuditEntry, Project


class ApiKeySerializer(LedgerSerializer):
    """One API key, without the key itself."""

    class Meta:
        model = ApiKey
        fields: tuple[str, ...] = (
            "prefix",
            "name",
            "role",
            "created_by",
            "created_at",
            "expires_at",
            "revoked_at",
            "last_used_at",
        )
        read_only_fields = ("prefix", "created_by", "created_at", "revoked_at", "last_used_at")


class NewApiKeySerializer(ApiKeySerializer):
    """A key that was just made: the only answer that ever holds `key`."""

    key = TextValue(read_only=True)

    class Meta(ApiKeySerializer.Meta):
        fields = ("key", *ApiKeySerializer.Meta.fields)


class AuditEntrySerializer(LedgerSerializer):
    """One change or sensitive read, by whom and when."""

    class Meta:
        model = AuditEntry
        fields = (
            "id",
            "number",
            "at",
            "actor_kind",
            "actor",
            "action",
            "target_type",
            "target_id",
            "changes",
            "previous_hash",
            "entry_hash",
        )
        read_only_fields = fields


class ProjectSerializer(LedgerSerializer):
    """One project. Its slug never changes."""

    # Whether a slug is taken is for the service to say: nobody learns of other projects by trying.
    slug = TextValue(max_length=63)
    name = TextValue(max_length=200, required=False)

    class Meta:
        model = Project
        fields = ("slug", "name", "created_at")
        read_only_fields = ("created_at",)
