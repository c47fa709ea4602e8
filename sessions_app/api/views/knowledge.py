"""Knowledge sources and documents."""

from typing import Any

from django.db.models import QuerySet
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_view
from rest_framework import status
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
    VersionedMixin,
)
from sessions_app.api.filters import DocumentFilterSet, KnowledgeSourceFilterSet
from sessions_app.api.serializers.knowledge import DocumentSerializer, KnowledgeSourceSerializer
from sessions_app.models import Document, KnowledgeSource
from sessions_app.services.documents import document_delete, document_save
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


_NAMESPACE = OpenApiParameter("namespace", OpenApiTypes.STR, OpenApiParameter.PATH)
_KEY = OpenApiParameter("key", OpenApiTypes.STR, OpenApiParameter.PATH)


@extend_schema_view(
    list=extend_schema(parameters=[_NAMESPACE]),
    retrieve=extend_schema(parameters=[_NAMESPACE, _KEY]),
    update=extend_schema(parameters=[_NAMESPACE, _KEY]),
    partial_update=extend_schema(parameters=[_NAMESPACE, _KEY]),
    destroy=extend_schema(parameters=[_NAMESPACE, _KEY]),
)
class DocumentViewSet(VersionedMixin, ListMixin, RetrieveMixin, DestroyMixin, LedgerViewSet):
    """Documents: JSON values under a namespace and a key, with a time to live where wanted."""

    queryset = Document.objects.all()
    serializer_class = DocumentSerializer
    filterset_class = DocumentFilterSet
    lookup_field = "key"
    ordering = "key"
    orderings = ("key",)

    def get_queryset(self) -> QuerySet[Any]:
        """Return the namespace's documents whose time has not run out."""
        rows: Any = super().get_queryset()
        if getattr(self, "swagger_fake_view", False):
            return rows
        return rows.filter(namespace=self.kwargs["namespace"]).alive_at(timezone.now())

    def update(self, request: Request, **kwargs: Any) -> Response:
        """Put a value under the key."""
        return self._saved(self.validated(), merge=False)

    def partial_update(self, request: Request, **kwargs: Any) -> Response:
        """Merge into the value under the key (RFC 7396)."""
        row, values = self.get_object(), self.validated(partial=True)
        # A new end alone keeps the value that was read: another one in between must not be lost.
        seen = None if "value" in values else row.version
        return self._saved({"value": row.value, **values}, merge=True, seen=seen)

    def _saved(self, values: dict[str, Any], *, merge: bool, seen: int | None = None) -> Response:
        document, created = document_save(
            project_id=self.project_id,
            namespace=self.kwargs["namespace"],
            key=self.kwargs["key"],
            value=values["value"],
            ttl=values.get("ttl"),
            merge=merge,
            now=timezone.now(),
            expected_version=seen if self.expected_version is None else self.expected_version,
        )
        return self.answer(document, status.HTTP_201_CREATED if created else status.HTTP_200_OK)

    def perform_destroy(self, row: Document) -> None:
        """Remove the document."""
        document_delete(document=row, expected_version=self.expected_version)
