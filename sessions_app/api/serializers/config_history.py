"""What settings were: versions and snapshots; what a tree of them brought."""

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from config.shared.api.fields import BooleanValue, IntegerValue, TextValue
from config.shared.api.serializers import LedgerSerializer, StrictInput
from sessions_app.models import ConfigSnapshot, ConfigVersion
from sessions_app.services.drafts import GREATEST_COUNT, max_length


class ConfigVersionSerializer(LedgerSerializer):
    """One change of a setting: what it was before, and what it became; secrets are masks."""

    before = serializers.SerializerMethodField()

    class Meta:
        model = ConfigVersion
        fields = (
            "key",
            "version",
            "is_removed",
            "before",
            "value",
            "value_type",
            "section",
            "description",
            "at",
            "actor_kind",
            "actor",
        )
        read_only_fields = fields

    @extend_schema_field({"nullable": True, "description": "Any JSON value."})
    def get_before(self, row):
        """Return the value that the change replaced, null where there was none."""
        return getattr(row, "value_before", None)


class ConfigRollbackSerializer(StrictInput):
    """Which version to go back to."""

    version = IntegerValue(min_value=1, max_value=GREATEST_COUNT)


class ConfigSnapshotSerializer(LedgerSerializer):
    """One named state of all settings."""

    name = TextValue(max_length=max_length(ConfigSnapshot, "name"))

    class Meta:
        model = ConfigSnapshot
        fields: tuple[str, ...] = ("name", "description", "created_at", "actor")
        read_only_fields = ("created_at", "actor")


class ConfigSnapshotDetailSerializer(ConfigSnapshotSerializer):
    """One snapshot with the settings in it."""

    settings = serializers.SerializerMethodField()

    class Meta(ConfigSnapshotSerializer.Meta):
        fields = (*ConfigSnapshotSerializer.Meta.fields, "settings")

    @extend_schema_field({"type": "array", "items": {"type": "object", "additionalProperties": {}}})
    def get_settings(self, row):
        """Return key, value (masked) and version of each setting."""
        versions = [entry.config_version for entry in row.entries.select_related("config_version")]
        versions.sort(key=lambda version: version.key)
        return [{"key": each.key, "value": each.value, "version": each.version} for each in versions]


class SnapshotRestoreSerializer(StrictInput):
    """How to restore a snapshot, and what came of it."""

    dry_run = BooleanValue(required=False, write_only=True, help_text="true: only say what would be done.")
    set = serializers.ListField(child=serializers.CharField(), read_only=True)
    removed = serializers.ListField(child=serializers.CharField(), read_only=True)
    unchanged = serializers.IntegerField(read_only=True)


class TreeImportSerializer(StrictInput):
    """What an import of a configs tree did, or would do: settings by key, workflows as workflows/id."""

    new = serializers.ListField(child=serializers.CharField(), read_only=True)
    changed = serializers.ListField(child=serializers.CharField(), read_only=True)
    unchanged = serializers.IntegerField(read_only=True)
