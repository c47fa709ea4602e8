"""Sums over the API."""

from typing import Any, ClassVar

from django.utils import timezone
from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from analytics_app.api.serializers.overview import OverviewSerializer
from analytics_app.selectors.overview import MOST_DAYS, overview
from config.shared.api.viewsets import LedgerViewSet
from config.shared.errors import InvalidInput
from sessions_app.models import Project

DEFAULT_DAYS = 30


class OverviewViewSet(LedgerViewSet):
    """What the system holds."""

    queryset = Project.objects.none()
    serializer_class = OverviewSerializer
    pagination_class = None
    filter_backends: ClassVar[list[Any]] = []
    action_parameters = {"overview": ("days",)}

    @extend_schema(
        parameters=[
            OpenApiParameter("days", OpenApiTypes.INT, description=f"How many days, 1 to {MOST_DAYS}; default 30.")
        ]
    )
    def overview(self, request: Request) -> Response:
        """Return what came in per project and day (UTC), today included."""
        found = overview(caller=self.caller, days=self._days(), now=timezone.now())
        return Response(self.get_serializer(found).data)

    def _days(self) -> int:
        stated = self.request.query_params.get("days", str(DEFAULT_DAYS))
        digits = stated.isascii() and stated.isdigit() and len(stated) <= len(str(MOST_DAYS))
        if not (digits and 1 <= int(stated) <= MOST_DAYS):
            raise InvalidInput.at("/days", _("days is a number from 1 to %d.") % MOST_DAYS)
        return int(stated)
