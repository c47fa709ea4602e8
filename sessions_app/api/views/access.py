"""API keys, the audit log, and projects."""

from typing import Any

from django.db.models import QuerySet
from django.utils import timezone
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response

from config.shared.api.routers import NUMBER
from config.shared.api.viewsets import (
    ADMINS,
    CreateMixin,
    DestroyMixin,
    LedgerViewSet,
    ListMixin,
    RetrieveMixin,
)
from config.shared.errors import Forbidden
from sessions_app.api.filters import ApiKeyFilterSet, AuditFilterSet
from sessions_app.api.serializers.access import (
    ApiKeySerializer,
    AuditEntrySerializer,
    NewApiKeySerializer,
    ProjectSerializer,
)
from sessions_app.models import ApiKey, AuditEntry, Project
from sessions_app.services.api_keys import api_key_create, api_key_revoke
from sessions_app.services.projects import project_create, project_update


class ApiKeyViewSet(ListMixin, RetrieveMixin, DestroyMixin, LedgerViewSet):
    """API keys of the project. The key itself is shown once, in the answer to POST."""

    queryset = ApiKey.objects.all()
    serializer_class = ApiKeySerializer
    filterset_class = ApiKeyFilterSet
    lookup_field = "prefix"
    lookup_value_regex = "[a-z0-9]{1,16}"
    read_roles = write_roles = ADMINS
    ordering = "-created_at"
    orderings = ("created_at",)

    @extend_schema(request=ApiKeySerializer, responses={201: NewApiKeySerializer})
    def create(self, request: Request) -> Response:
        """Make a key and show it, this once."""
        project = Project.objects.get(pk=self.project_id)
        key, token = api_key_create(project=project, now=timezone.now(), caller=self.caller, **self._wanted())
        answer = Response({"key": token, **self.get_serializer(key).data}, status=status.HTTP_201_CREATED)
        answer["Cache-Control"] = "no-store"
        return answer

    def _wanted(self) -> dict[str, Any]:
        return {"role": ApiKey.Role.AGENT.value, **self.validated()}

    def perform_destroy(self, row: ApiKey) -> None:
        """Revoke the key, from the next request on; its row stays."""
        api_key_revoke(key=row, now=timezone.now(), caller=self.caller)


class AuditLogViewSet(ListMixin, RetrieveMixin, LedgerViewSet):
    """The audit log: who changed what, and who looked at secrets. Nothing in it can be changed."""

    queryset = AuditEntry.objects.all()
    serializer_class = AuditEntrySerializer
    filterset_class = AuditFilterSet
    lookup_field = "id"
    lookup_value_regex = NUMBER
    read_roles = ADMINS | {"auditor"}
    ordering = "-at"
    orderings = ("at",)


@extend_schema_view(partial_update=extend_schema(request=ProjectSerializer(partial=True)))
class ProjectViewSet(ListMixin, CreateMixin, RetrieveMixin, LedgerViewSet):
    """Projects: the walls between teams. A key sees its own; administrators of the staff make them."""

    queryset = Project.objects.all()
    serializer_class = ProjectSerializer
    lookup_field = "slug"
    lookup_value_regex = "[a-z0-9-]+"
    write_roles = ADMINS
    ordering = "slug"
    orderings = ("slug",)

    def get_queryset(self) -> QuerySet[Project]:
        """Return the projects on the caller's side of the wall."""
        if getattr(self, "swagger_fake_view", False):
            return Project.objects.none()
        seen = self.caller.project_ids
        return Project.objects.all() if seen is None else Project.objects.filter(pk__in=seen)

    def perform_create(self, values: dict[str, Any]) -> Project:
        """Make the project of a POST."""
        self._only_staff()
        return project_create(slug=values["slug"], name=values.get("name", ""), now=timezone.now(), caller=self.caller)

    def partial_update(self, request: Request, slug: str) -> Response:
        """Give the project another name."""
        self._only_staff()
        row = self.get_object()
        name = self.validated(partial=True).get("name", row.name)
        return self.answer(project_update(project=row, name=name, now=timezone.now(), caller=self.caller))

    def _only_staff(self) -> None:
        if self.caller.kind == "key":
            raise Forbidden("A key lives inside of one project.")
