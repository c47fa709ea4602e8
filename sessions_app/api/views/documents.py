"""Documents: JSON values under a namespace and a key, on whichever backend the namespace has."""

from typing import Any

from django.core import signing
from django.db.models import QuerySet
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_view
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.urls import replace_query_param

from config.shared.api.filters import check_parameters
from config.shared.api.pagination import PAGE_PARAMETERS, page_size_of, wants_count
from config.shared.api.viewsets import LedgerViewSet, ListMixin, VersionedMixin
from config.shared.errors import InvalidInput, NotFound
from sessions_app.api.filters import DocumentFilterSet
from sessions_app.api.serializers.knowledge import (
    DocumentResultsSerializer,
    DocumentSerializer,
    DocumentTransactionSerializer,
)
from sessions_app.models import Document
from sessions_app.services.documents import (
    Change,
    Kind,
    StoredDocument,
    document_delete,
    document_find,
    document_save,
    document_update,
    documents_change,
    documents_count,
    documents_page,
    safe_namespace,
)
from sessions_app.services.documents.backends import DATABASE, backend_name
from sessions_app.services.documents.changes import UNSTATED

_NAMESPACE = OpenApiParameter("namespace", OpenApiTypes.STR, OpenApiParameter.PATH)
_KEY = OpenApiParameter("key", OpenApiTypes.STR, OpenApiParameter.PATH)
_CURSOR = "cursor:documents"


@extend_schema_view(
    list=extend_schema(parameters=[_NAMESPACE]),
    retrieve=extend_schema(parameters=[_NAMESPACE, _KEY]),
    update=extend_schema(parameters=[_NAMESPACE, _KEY]),
    partial_update=extend_schema(parameters=[_NAMESPACE, _KEY]),
    destroy=extend_schema(parameters=[_NAMESPACE, _KEY]),
)
class DocumentViewSet(VersionedMixin, ListMixin, LedgerViewSet):
    """Documents: JSON values under a namespace and a key, with a time to live where wanted."""

    queryset = Document.objects.all()
    serializer_class = DocumentSerializer
    filterset_class = DocumentFilterSet
    lookup_field = "key"
    ordering = "key"
    orderings = ("key",)

    @property
    def place(self) -> dict[str, Any]:
        """The project, namespace and key that the path names."""
        return {"project_id": self.project_id, "namespace": self.kwargs["namespace"], "key": self.kwargs["key"]}

    def get_queryset(self) -> QuerySet[Any]:
        """Return the namespace's rows whose time has not run out, where the database has them."""
        rows: Any = super().get_queryset()
        if getattr(self, "swagger_fake_view", False):
            return rows
        return rows.filter(namespace=safe_namespace(self.kwargs["namespace"])).alive_at(timezone.now())

    def list(self, request: Request, **kwargs: Any) -> Response:
        """Return one page of the namespace's documents by key."""
        namespace = safe_namespace(self.kwargs["namespace"])
        if backend_name(namespace) == DATABASE:
            return super().list(request, **kwargs)
        check_parameters(request, {*PAGE_PARAMETERS, "prefix"})
        size, prefix = page_size_of(request), request.query_params.get("prefix", "")
        asked = {"project_id": self.project_id, "namespace": namespace, "prefix": prefix, "now": timezone.now()}
        rows = documents_page(after=self._after(request), limit=size + 1, **asked)
        counted = {"count": documents_count(**asked)} if wants_count(request) else {}
        following = self._following(request, rows[size - 1].key) if len(rows) > size else None
        results = self.get_serializer(rows[:size], many=True).data
        return Response({**counted, "next": following, "previous": None, "results": results})

    @staticmethod
    def _after(request: Request) -> str:
        cursor = request.query_params.get("cursor")
        if cursor is None:
            return ""
        try:
            return str(signing.Signer(salt=_CURSOR).unsign_object(cursor))
        except (signing.BadSignature, ValueError) as error:
            raise InvalidInput.at("/cursor", "This is not a cursor of this list.") from error

    @staticmethod
    def _following(request: Request, key: str) -> str:
        cursor = signing.Signer(salt=_CURSOR).sign_object(key)
        path, mark, query = request.build_absolute_uri().partition("?")
        return replace_query_param(f"{path.rstrip('/')}/{mark}{query}", "cursor", cursor)

    def get_object(self) -> StoredDocument:
        """Return the document of the path. Raises NotFound."""
        document = document_find(**self.place, now=timezone.now())
        if document is None:
            raise NotFound
        return document

    def retrieve(self, request: Request, **kwargs: Any) -> Response:
        """Return the document."""
        return self.answer(self.get_object())

    def update(self, request: Request, **kwargs: Any) -> Response:
        """Put a value under the key."""
        values = self.validated()
        document, is_new = document_save(
            **self.place,
            value=values["value"],
            ttl=values.get("ttl"),
            now=timezone.now(),
            expected_version=self.expected_version,
        )
        return self.answer(document, status.HTTP_201_CREATED if is_new else status.HTTP_200_OK)

    def partial_update(self, request: Request, **kwargs: Any) -> Response:
        """Merge into the value under the key (RFC 7396); a ttl alone gives it another end."""
        values = self.validated(partial=True)
        document = document_update(
            **self.place,
            value=values.get("value", UNSTATED),
            ttl=values.get("ttl"),
            now=timezone.now(),
            expected_version=self.expected_version,
        )
        return self.answer(document)

    def destroy(self, request: Request, **kwargs: Any) -> Response:
        """Remove the document."""
        document_delete(**self.place, now=timezone.now(), expected_version=self.expected_version)
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(request=DocumentTransactionSerializer, responses=DocumentResultsSerializer)
    def transaction(self, request: Request, **kwargs: Any) -> Response:
        """Do several operations on documents of one backend, all or none."""
        body = DocumentTransactionSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        changes = [_change(operation) for operation in body.validated_data["operations"]]
        results = documents_change(project_id=self.project_id, changes=changes, now=timezone.now())
        shown = [None if document is None else self.get_serializer(document).data for document, _new in results]
        return Response({"results": shown})


def _change(operation: dict[str, Any]) -> Change:
    return Change(
        Kind(operation["op"]),
        operation["namespace"],
        operation["key"],
        operation.get("value", UNSTATED),
        field=operation.get("field", ""),
        ttl=operation.get("ttl"),
        expected_version=operation.get("version"),
    )
