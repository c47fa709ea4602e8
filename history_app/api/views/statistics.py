"""Figures: of one session, and of tool calls and errors over all of them."""

from typing import Any, ClassVar

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from config.shared.api.filters import StrictFilterBackend, check_parameters
from config.shared.api.viewsets import LedgerViewSet
from config.shared.api.zones import zone_of
from history_app.api.filters import ErrorStatisticsFilterSet, ToolStatisticsFilterSet
from history_app.api.parameters import SESSION
from history_app.api.serializers.statistics import (
    ErrorStatisticsSerializer,
    PerformanceSerializer,
    SessionStatisticsSerializer,
    SummarySerializer,
    ToolStatisticsSerializer,
)
from history_app.models import ErrorRecord, Message, ToolCall
from history_app.selectors.session_figures import session_performance, session_statistics, session_summary
from history_app.selectors.statistics import error_statistics, tool_statistics
from sessions_app.models import Session
from sessions_app.selectors import session_find


class SessionFiguresViewSet(LedgerViewSet):
    """Figures of one session."""

    queryset = Message.objects.none()
    serializer_class = SummarySerializer
    filter_backends = ()
    pagination_class = None

    @extend_schema(parameters=[SESSION], responses=SummarySerializer)
    def summary(self, request: Request, session_id: str) -> Response:
        """Return how many messages the session has, and from when to when."""
        return Response(session_summary(self._session(session_id)))

    @extend_schema(parameters=[SESSION], responses=SessionStatisticsSerializer)
    def statistics(self, request: Request, session_id: str) -> Response:
        """Return what happened in the session, over all its records."""
        return Response(session_statistics(self._session(session_id)))

    @extend_schema(parameters=[SESSION], responses=PerformanceSerializer)
    def performance(self, request: Request, session_id: str) -> Response:
        """Return how long models and tools took in the session."""
        return Response(session_performance(self._session(session_id)))

    def _session(self, session_id: str) -> Session:
        return session_find(caller=self.caller, session_id=session_id)


class StatisticsViewSet(LedgerViewSet):
    """Figures over the rows that the filters of their list let through."""

    filter_backends = (StrictFilterBackend,)
    filtered_actions = frozenset({"statistics"})
    filterset_class: ClassVar[Any] = None
    pagination_class = None

    def filtered(self) -> QuerySet[Any]:
        """Return the rows to be counted; what would only arrange a list is refused."""
        check_parameters(self.request, self.filterset_class.base_filters)
        return self.filter_queryset(self.get_queryset())


class ToolStatisticsViewSet(StatisticsViewSet):
    """Tool calls in figures."""

    queryset = ToolCall.objects.all()
    serializer_class = ToolStatisticsSerializer
    filterset_class = ToolStatisticsFilterSet

    @extend_schema(responses=ToolStatisticsSerializer)
    def statistics(self, request: Request) -> Response:
        """Return totals, rates and times, by tool, by session and by day, over the whole time or a part of it."""
        return Response(tool_statistics(self.filtered(), zone=zone_of(request)))


class ErrorStatisticsViewSet(StatisticsViewSet):
    """Errors in figures."""

    queryset = ErrorRecord.objects.all()
    serializer_class = ErrorStatisticsSerializer
    filterset_class = ErrorStatisticsFilterSet

    @extend_schema(responses=ErrorStatisticsSerializer)
    def statistics(self, request: Request) -> Response:
        """Return totals by type, by severity, by session and by day, over the whole time or a part of it."""
        return Response(error_statistics(self.filtered(), zone=zone_of(request)))
