"""Facts of every kind: recorded by agents, put right or removed by operators."""

from typing import Any, ClassVar

from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response

from config.shared.api.routers import NUMBER
from config.shared.api.viewsets import KEEPERS, DestroyMixin, LedgerViewSet, ListMixin, RetrieveMixin
from config.shared.errors import InvalidInput
from history_app.api import filters
from history_app.api.serializers import facts as serializers
from history_app.api.views.searches import SearchedListMixin
from history_app.models import ErrorRecord, Fact, LLMCall, Message, Metric, TokenUsage, ToolCall
from history_app.selectors.beginnings import with_beginnings
from history_app.services.edits import fact_delete, fact_update
from history_app.services.recording import fact_record


class FactViewSet(ListMixin, RetrieveMixin, DestroyMixin, LedgerViewSet):
    """One kind of fact. `documents` are the columns of which a list shows the beginning only."""

    lookup_field = "id"
    lookup_value_regex = NUMBER
    ordering = "-timestamp"
    orderings: ClassVar[Any] = ("timestamp",)
    action_roles = {"update": KEEPERS, "partial_update": KEEPERS, "destroy": KEEPERS}
    documents: ClassVar[tuple[str, ...]] = ()
    list_serializer_class: ClassVar[Any] = None

    def get_queryset(self) -> QuerySet[Any]:
        """Return the facts with their sessions' ids."""
        model = self.queryset.model
        own = [field.name for field in model._meta.concrete_fields if field.name not in self.documents]
        if self.action != "list":
            return super().get_queryset().select_related("session")
        rows = super().get_queryset().select_related("session").only(*own, "session__session_id")
        return with_beginnings(rows, self.documents) if self.documents else rows

    def get_serializer_class(self) -> Any:
        """Lists show the beginning of large documents."""
        if self.action == "list" and self.list_serializer_class:
            return self.list_serializer_class
        return super().get_serializer_class()

    def create(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Record one; the same record again, by its id, answers 200 with the stored one."""
        row, created = fact_record(
            model=self.queryset.model,
            project_id=self.project_id,
            fields=self.stated(),
            now=timezone.now(),
        )
        return self.answer(row, status.HTTP_201_CREATED if created else status.HTTP_200_OK)

    def update(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """State it anew, but for its session, record id and number."""
        return self.answer(self._changed(self.get_object(), replace=True))

    def partial_update(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Change what is stated (RFC 7396), but for its session, record id and number."""
        return self.answer(self._changed(self.get_object(), replace=False))

    def perform_destroy(self, row: Fact) -> None:
        """Remove it."""
        fact_delete(fact=row, caller=self.caller, now=timezone.now())

    def _changed(self, row: Fact, *, replace: bool) -> Any:
        return fact_update(
            fact=row,
            changes=self.stated(),
            caller=self.caller,
            now=timezone.now(),
            replace=replace,
        )

    def stated(self) -> dict[str, Any]:
        """Return the body's fields, without those that only answers have."""
        if not isinstance(self.request.data, dict):
            raise InvalidInput.at("", _("The body is a JSON object."))
        unstated = serializers.shown_only(self.get_serializer_class())
        return {name: value for name, value in self.request.data.items() if name not in unstated}


class MessageViewSet(SearchedListMixin, FactViewSet):
    """Messages of all sessions."""

    record_type = "message"
    queryset = Message.objects.all()
    serializer_class = serializers.MessageSerializer
    filterset_class = filters.MessageFilterSet
    orderings = ("timestamp", "sequence")

    def filter_queryset(self, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Order by number only within a session: numbers of different sessions say nothing beside each other."""
        by_number = self.request.query_params.get("ordering", "").lstrip("-") == "sequence"
        if by_number and "session_id" not in self.request.query_params:
            raise InvalidInput.at("/ordering", _("Ordering by sequence needs session_id."))
        return super().filter_queryset(queryset)


class ToolCallViewSet(SearchedListMixin, FactViewSet):
    """Calls of tools."""

    record_type = "tool_call"
    queryset = ToolCall.objects.all()
    serializer_class = serializers.ToolCallSerializer
    list_serializer_class = serializers.ToolCallListSerializer
    filterset_class = filters.ToolCallFilterSet
    documents = serializers.TOOL_DOCUMENTS


class LLMCallViewSet(FactViewSet):
    """Calls of language models."""

    queryset = LLMCall.objects.all()
    serializer_class = serializers.LLMCallSerializer
    list_serializer_class = serializers.LLMCallListSerializer
    filterset_class = filters.LLMCallFilterSet
    documents = serializers.LLM_DOCUMENTS


class TokenUsageViewSet(FactViewSet):
    """Uses of tokens, with their cost."""

    queryset = TokenUsage.objects.all()
    serializer_class = serializers.TokenUsageSerializer
    filterset_class = filters.TokenUsageFilterSet


class ErrorViewSet(FactViewSet):
    """Errors that agents reported."""

    queryset = ErrorRecord.objects.all()
    serializer_class = serializers.ErrorSerializer
    filterset_class = filters.ErrorFilterSet


class MetricViewSet(FactViewSet):
    """Numbers measured in sessions."""

    queryset = Metric.objects.all()
    serializer_class = serializers.MetricSerializer
    filterset_class = filters.MetricFilterSet
