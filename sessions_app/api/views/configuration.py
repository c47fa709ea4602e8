"""System settings, and the configuration of end users."""

from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from config.shared.api.pagination import PAGE_PARAMETERS
from config.shared.api.routers import ANY_ID
from config.shared.api.viewsets import (
    ADMINS,
    KEEPERS,
    CreateMixin,
    DestroyMixin,
    LedgerViewSet,
    ListMixin,
    RetrieveMixin,
    SaveMixin,
    VersionedMixin,
)
from config.shared.errors import Forbidden, NotFound
from config.shared.merging import patched
from sessions_app.api.filters import ConfigFilterSet, ConfigSnapshotFilterSet, UserConfigFilterSet
from sessions_app.api.serializers.config_history import (
    ConfigRollbackSerializer,
    ConfigSnapshotDetailSerializer,
    ConfigSnapshotSerializer,
    ConfigVersionSerializer,
    SnapshotRestoreSerializer,
)
from sessions_app.api.serializers.configuration import (
    ConfigSerializer,
    RevealSerializer,
    UserConfigDetailSerializer,
    UserConfigSerializer,
)
from sessions_app.models import ConfigSnapshot, SystemConfig, UserConfig
from sessions_app.selectors import config_history
from sessions_app.services.config_snapshots import (
    config_snapshot_create,
    config_snapshot_delete,
    config_snapshot_restore,
)
from sessions_app.services.configs import config_create, config_delete, config_rollback, config_set
from sessions_app.services.user_configs import (
    provider_key_reveal,
    user_config_create,
    user_config_delete,
    user_config_save,
)


class ConfigViewSet(VersionedMixin, ListMixin, CreateMixin, RetrieveMixin, SaveMixin, DestroyMixin, LedgerViewSet):
    """System settings: typed values under a key."""

    queryset = SystemConfig.objects.all()
    serializer_class = ConfigSerializer
    filterset_class = ConfigFilterSet
    lookup_field = "key"
    lookup_value_regex = ANY_ID
    write_roles = KEEPERS
    # A former version may hold secrets, which only admins set.
    action_roles = {"rollback": ADMINS}
    action_parameters = {"history": PAGE_PARAMETERS}
    ordering = "key"
    orderings = ("key",)

    def validated(self, **options: Any) -> dict[str, Any]:
        """Return the body's values; secrets are for admins to set."""
        return self._without_secrets(super().validated(**options))

    def stated(self, **options: Any) -> dict[str, Any]:
        """Return the body's values without the key; secrets are for admins to set."""
        return self._without_secrets(super().stated(**options))

    def _without_secrets(self, values: dict[str, Any]) -> dict[str, Any]:
        if "secrets" in values and self.caller.role not in ADMINS:
            raise Forbidden("Only admins set secrets.")
        return values

    def perform_create(self, values: dict[str, Any]) -> SystemConfig:
        """Make the setting of a POST."""
        return config_create(project_id=self.project_id, now=timezone.now(), caller=self.caller, **values)

    def completed(self, values: dict[str, Any]) -> dict[str, Any]:
        """What a PUT leaves out goes back to nothing; the type stays, or follows from the value."""
        return {"section": "", "description": "", **values}

    def perform_save(self, values: dict[str, Any]) -> tuple[SystemConfig, bool]:
        """Make or replace the setting of a PUT."""
        return config_set(
            project_id=self.project_id,
            key=self.path_id,
            now=timezone.now(),
            caller=self.caller,
            expected_version=self.expected_version,
            **values,
        )

    def perform_update(self, row: SystemConfig, values: dict[str, Any]) -> SystemConfig:
        """Change the setting of a PATCH."""
        value = patched(row.value, values.pop("value")) if "value" in values else row.value
        # The merge is made from the version that was read: another one in between must not be lost.
        expected = row.version if self.expected_version is None else self.expected_version
        changed, _created = config_set(
            project_id=row.project_id,
            key=row.key,
            value=value,
            now=timezone.now(),
            caller=self.caller,
            expected_version=expected,
            **values,
        )
        return changed

    def perform_destroy(self, row: SystemConfig) -> None:
        """Remove the setting."""
        config_delete(config=row, now=timezone.now(), caller=self.caller, expected_version=self.expected_version)

    @extend_schema(responses=ConfigVersionSerializer(many=True))
    @action(detail=True, methods=["get"], serializer_class=ConfigVersionSerializer)
    def history(self, request: Request, key: str) -> Response:
        """List the changes of a setting, the newest first; a removed one has a history, too."""
        rows = config_history(caller=self.caller, key=key)
        if not rows.exists():
            raise NotFound
        page = self.paginate_queryset(rows)
        return self.get_paginated_response(self.get_serializer(page, many=True).data)

    @extend_schema(request=ConfigRollbackSerializer, responses=ConfigSerializer)
    @action(detail=True, methods=["post"])
    def rollback(self, request: Request, key: str) -> Response:
        """Set the setting to what a former version was, secrets included."""
        body = ConfigRollbackSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        return self.answer(
            config_rollback(
                project_id=self.project_id,
                key=key,
                version=body.validated_data["version"],
                now=timezone.now(),
                caller=self.caller,
                expected_version=self.expected_version,
            )
        )


class ConfigSnapshotViewSet(ListMixin, CreateMixin, RetrieveMixin, DestroyMixin, LedgerViewSet):
    """Named snapshots of all settings, and the way back to one."""

    queryset = ConfigSnapshot.objects.all()
    serializer_class = ConfigSnapshotDetailSerializer
    filterset_class = ConfigSnapshotFilterSet
    lookup_field = "name"
    lookup_value_regex = ANY_ID
    write_roles = KEEPERS
    action_roles = {"restore": ADMINS, "destroy": ADMINS}
    ordering = "-created_at"
    orderings = ("created_at",)

    def get_serializer_class(self) -> Any:
        """What is in a snapshot is shown one at a time."""
        return ConfigSnapshotSerializer if self.action == "list" else super().get_serializer_class()

    def perform_create(self, values: dict[str, Any]) -> ConfigSnapshot:
        """Give the settings as they are now a name."""
        return config_snapshot_create(project_id=self.project_id, now=timezone.now(), caller=self.caller, **values)

    def perform_destroy(self, row: ConfigSnapshot) -> None:
        """Forget the snapshot."""
        config_snapshot_delete(snapshot=row, now=timezone.now(), caller=self.caller)

    @extend_schema(request=SnapshotRestoreSerializer, responses=SnapshotRestoreSerializer)
    @action(detail=True, methods=["post"])
    def restore(self, request: Request, name: str) -> Response:
        """Make all settings what they were, in one transaction; those that came later are removed."""
        body = SnapshotRestoreSerializer(data=request.data or {})
        body.is_valid(raise_exception=True)
        done = config_snapshot_restore(
            snapshot=self.get_object(),
            now=timezone.now(),
            caller=self.caller,
            dry_run=body.validated_data.get("dry_run", False),
        )
        return Response(done.told())


class UserConfigViewSet(VersionedMixin, ListMixin, CreateMixin, RetrieveMixin, SaveMixin, DestroyMixin, LedgerViewSet):
    """End users of the agents: preferences, provider keys as masks, and what was used for them."""

    queryset = UserConfig.objects.prefetch_related("provider_keys")
    serializer_class = UserConfigDetailSerializer
    filterset_class = UserConfigFilterSet
    lookup_field = "user_id"
    lookup_value_regex = ANY_ID
    ordering = "-created_at"
    orderings = ("created_at",)
    action_roles = {"destroy": KEEPERS, "reveal": ADMINS}

    def get_serializer_class(self) -> Any:
        """Sums are for one user at a time."""
        return UserConfigSerializer if self.action == "list" else super().get_serializer_class()

    def validated(self, **options: Any) -> dict[str, Any]:
        """Return the body's values; provider keys are for admins to set."""
        return self._without_keys(super().validated(**options))

    def stated(self, **options: Any) -> dict[str, Any]:
        """Return the body's values without the id; provider keys are for admins to set."""
        return self._without_keys(super().stated(**options))

    def _without_keys(self, values: dict[str, Any]) -> dict[str, Any]:
        if "api_keys" in values and self.caller.role not in ADMINS:
            raise Forbidden("Only admins set provider keys.")
        return values

    def perform_create(self, values: dict[str, Any]) -> UserConfig:
        """Make the user of a POST."""
        return user_config_create(project_id=self.project_id, now=timezone.now(), caller=self.caller, **values)

    def perform_save(self, values: dict[str, Any]) -> tuple[UserConfig, bool]:
        """Make or replace the user of a PUT; keys that are not named stay."""
        return self._saved(self.project_id, values, merge=False)

    def perform_update(self, row: UserConfig, values: dict[str, Any]) -> UserConfig:
        """Change the user of a PATCH."""
        if values.get("preferences", True) is None:
            return self._saved(row.project_id, {**values, "preferences": {}}, merge=False)[0]
        return self._saved(row.project_id, values, merge=True)[0]

    def _saved(self, project_id: int, values: dict[str, Any], *, merge: bool) -> tuple[UserConfig, bool]:
        return user_config_save(
            project_id=project_id,
            user_id=self.path_id,
            merge=merge,
            now=timezone.now(),
            caller=self.caller,
            expected_version=self.expected_version,
            **values,
        )

    def perform_destroy(self, row: UserConfig) -> None:
        """Remove the user's configuration with the keys."""
        user_config_delete(
            user_config=row, now=timezone.now(), caller=self.caller, expected_version=self.expected_version
        )

    @extend_schema(request=RevealSerializer, responses=RevealSerializer)
    @action(detail=True, methods=["post"], url_path="api-keys/reveal", serializer_class=RevealSerializer)
    def reveal(self, request: Request, user_id: str) -> Response:
        """Show one provider key in clear. The audit tells it before the key is shown."""
        provider = LedgerViewSet.validated(self)["provider"]
        secret = provider_key_reveal(
            user_config=self.get_object(), provider=provider, now=timezone.now(), caller=self.caller
        )
        answer = Response({"provider": provider, "api_key": secret})
        answer["Cache-Control"] = "no-store"
        return answer
