"""System settings, and the configuration of end users."""

from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.utils.module_loading import import_string
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from config.shared.api.fields import JsonObject, JsonValue, TextValue
from config.shared.api.serializers import LedgerSerializer, StrictInput
from sessions_app.api.serializers.sessions import ID_LENGTH
from sessions_app.models import ProviderKey, SystemConfig, UserConfig
from sessions_app.services.drafts import max_length


class ConfigSerializer(LedgerSerializer):
    """One setting. Secrets in the value are shown as a mask; a mask written back keeps the secret behind it."""

    key = TextValue(max_length=ID_LENGTH)
    value = JsonValue(allow_null=True)
    secrets = JsonObject(
        write_only=True, required=False, help_text="Secrets by JSON pointer into the value: sealed, never shown."
    )

    class Meta:
        model = SystemConfig
        fields = (
            "key",
            "section",
            "value_type",
            "value",
            "secrets",
            "description",
            "created_at",
            "updated_at",
            "version",
        )
        read_only_fields = ("created_at", "updated_at", "version")
        extra_kwargs = {"value_type": {"required": False}}


@extend_schema_field({"type": "object", "additionalProperties": {"type": "string", "nullable": True}})
class ApiKeysField(serializers.Field[Any, Any, Any, Any]):
    """Provider keys by provider: written in clear, read as masks. null takes a key away."""

    default_error_messages = {"not_texts": "An object of provider to key, or to null."}

    def to_internal_value(self, data: Any) -> dict[str, str | None]:
        """Return the keys by provider."""
        if not isinstance(data, Mapping) or not all(key is None or isinstance(key, str) for key in data.values()):
            self.fail("not_texts")
        return dict(data)

    def get_attribute(self, instance: UserConfig) -> dict[str, str]:
        """Return the masks by provider."""
        return {key.provider: key.masked for key in instance.provider_keys.all()}

    def to_representation(self, value: dict[str, str]) -> dict[str, str]:
        """Return the masks as they are."""
        return value


class UserConfigSerializer(LedgerSerializer):
    """One end user of the agents."""

    user_id = TextValue(max_length=ID_LENGTH)
    api_keys = ApiKeysField(required=False)

    class Meta:
        model = UserConfig
        fields: tuple[str, ...] = ("user_id", "preferences", "api_keys", "created_at", "updated_at", "version")
        read_only_fields = ("created_at", "updated_at", "version")
        masked_fields = ("preferences",)


class UserConfigDetailSerializer(UserConfigSerializer):
    """One end user, with what the agents used for them."""

    usage_stats = serializers.SerializerMethodField()

    class Meta(UserConfigSerializer.Meta):
        fields = (*UserConfigSerializer.Meta.fields, "usage_stats")

    @extend_schema_field({"type": "object", "additionalProperties": {}})
    def get_usage_stats(self, instance: UserConfig) -> dict[str, Any]:
        """Return the sums over what was recorded for the user; the app above names the function that knows.

        What an older system has counted itself stands beside them: it is in no record.
        """
        stats: dict[str, Any] = import_string(settings.AGENTLEDGER_USAGE_STATS_FUNCTION)(
            instance.project_id, instance.user_id
        )
        return {**stats, "brought_in": instance.brought_in.get("usage_stats", {})}


class RevealSerializer(StrictInput):
    """Whose key is to be shown in clear."""

    provider = TextValue(max_length=max_length(ProviderKey, "provider"))
    api_key = TextValue(read_only=True)
