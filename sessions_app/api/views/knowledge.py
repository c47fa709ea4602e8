"""Knowledge sources."""

from typing import Any

from django.db.models import QuerySet
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from config.shared.api.routers import NUMBER
from config.shared.api.viewsets import (
    KEEPERS,
    CreateMixin,
    DestroyMixin,
    LedgerViewSet,
    ListMixin,
    RetrieveMixin,
    UpdateMixin,
)
from sessions_app.api.filters import KnowledgeSourceFilterSet
from sessions_app.api.serializers.knowledge import KnowledgeSourceSerializer
from sessions_app.models import KnowledgeSource
from sessions_app.services.knowledge import (
    knowledge_source_create,
    knowledge_source_delete,
    knowledge_source_undelete,
    knowledge_source_update,
)


class KnowledgeSourceViewSet(ListMixin, CreateMixin, RetrieveMixin, UpdateMixin, DestroyMixin, LedgerViewSet):
    """Knowledge sources. Deleting one can be taken back."""

    queryset = KnowledgeSource.objects.all()
    serializer_class = KnowledgeSourceSerializer
    filterset_class = KnowledgeSourceFilterSet
    lookup_field = "id"
    lookup_value_regex = NUMBER
    write_roles = KEEPERS
    ordering = "-created_at"
    orderings = ("created_at",)

    def get_queryset(self) -> QuerySet[Any]:
        """Return the sources that the caller may see; by themselves only those that are not deleted."""
        rows: Any = super().get_queryset()
        return rows if self.action in ("list", "undelete") else rows.alive()

    def perform_create(self, values: dict[str, Any]) -> KnowledgeSource:
        """Add the source of a POST."""
        return knowledge_source_create(
            project_id=self.project_id, values=values, now=timezone.now(), caller=self.caller
        )

    def perform_update(self, row: KnowledgeSource, values: dict[str, Any]) -> KnowledgeSource:
        """Change the source of a PUT or PATCH."""
        return knowledge_source_update(
            source=row,
            values=values,
            merge=self.action == "partial_update",
            now=timezone.now(),
            caller=self.caller,
        )

    def perform_destroy(self, row: KnowledgeSource) -> None:
        """Mark the source as deleted."""
        knowledge_source_delete(source=row, now=timezone.now(), caller=self.caller)

    @extend_schema(request=None, responses=KnowledgeSourceSerializer)
    @action(detail=True, methods=["post"])
    def undelete(self, request: Request, **kwargs: Any) -> Response:
        """Take the deletion back."""
        return self.answer(knowledge_source_undelete(source=self.get_object(), now=timezone.now(), caller=self.caller))
