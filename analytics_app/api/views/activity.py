"""Performance, sessions in figures, and what is stored, over the API."""

from typing import Any, ClassVar

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from analytics_app.api.parameters import END, START, asked_of, period_of
from analytics_app.api.serializers.activity import (
    SessionFiguresSerializer,
    StorageSerializer,
    SystemPerformanceSerializer,
)
from analytics_app.selectors.holdings import holdings
from analytics_app.selectors.performance import performance
from analytics_app.selectors.sessions import session_figures
from config.shared.api.viewsets import LedgerViewSet
from config.shared.api.zones import TZ
from sessions_app.models import Session
from sessions_app.selectors import session_find

_SESSION = OpenApiParameter("session_id", OpenApiTypes.STR, description="Of this session only.")


class ActivityViewSet(LedgerViewSet):
    """What went on."""

    queryset = Session.objects.none()
    serializer_class = SystemPerformanceSerializer
    pagination_class = None
    filter_backends: ClassVar[list[Any]] = []
    action_parameters = {
        "performance": ("session_id", "start", "end", "tz"),
        "sessions": ("start", "end", "tz"),
        "storage": (),
    }

    @extend_schema(
        parameters=[
            OpenApiParameter("session_id", OpenApiTypes.STR, description="Of this session only."),
            START,
            END,
            TZ,
        ],
        responses=SystemPerformanceSerializer,
    )
    def performance(self, request: Request) -> Response:
        """Return how fast models and tools answered in a period, and how often something failed."""
        start, end = period_of(request, now=asked_of(self).now)
        name = request.query_params.get("session_id")
        session = None if name is None else session_find(caller=self.caller, session_id=name)
        found = performance(caller=self.caller, start=start, end=end, session=session)
        return Response(SystemPerformanceSerializer(found).data)

    @extend_schema(parameters=[START, END, TZ], responses=SessionFiguresSerializer)
    def sessions(self, request: Request) -> Response:
        """Return how many sessions began in a period, how long they went on, and how they ended."""
        asked = asked_of(self)
        start, end = period_of(request, now=asked.now)
        found = session_figures(caller=self.caller, asked=asked, start=start, end=end)
        return Response(SessionFiguresSerializer(found).data)

    @extend_schema(responses=StorageSerializer)
    def storage(self, request: Request) -> Response:
        """Return how many rows of each kind are stored; large kinds are estimated."""
        kinds = [
            {"kind": holding.model._meta.model_name, "count": holding.count, "exact": holding.exact}
            for holding in holdings(caller=self.caller)
        ]
        return Response(StorageSerializer({"kinds": kinds}).data)
