"""Token figures and costs over the API."""

from typing import Any, ClassVar

from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from analytics_app.api.parameters import END, MOST_DAYS, START, asked_of, day_of, number_of, period_of
from analytics_app.api.serializers.tokens import (
    CostsSerializer,
    DashboardSerializer,
    TokenDaySerializer,
    TokenMonthSerializer,
    TokenUserSerializer,
)
from analytics_app.models import ModelUsage
from analytics_app.selectors.costs import CUTS, costs
from analytics_app.selectors.tokens import token_dashboard, tokens_by_day, tokens_by_month, tokens_by_user
from config.shared.api.viewsets import LedgerViewSet
from config.shared.api.zones import TZ
from config.shared.errors import InvalidInput

MOST_MONTHS = 36
MOST_USERS = 1000


def _number(name: str, text: str, default: int, most: int) -> OpenApiParameter:
    return OpenApiParameter(name, OpenApiTypes.INT, description=f"{text}, 1 to {most}; default {default}.")


class TokensViewSet(LedgerViewSet):
    """What was used and what it cost, right to the last record, in the caller's time zone."""

    queryset = ModelUsage.objects.none()
    serializer_class = TokenDaySerializer
    pagination_class = None
    filter_backends: ClassVar[list[Any]] = []
    action_parameters = {
        "daily": ("days", "tz"),
        "monthly": ("months", "tz"),
        "ranking": ("date", "top", "tz"),
        "dashboard": ("tz",),
        "costs": ("by", "start", "end", "tz"),
    }

    @extend_schema(
        parameters=[_number("days", "How many days", 7, MOST_DAYS), TZ], responses=TokenDaySerializer(many=True)
    )
    def daily(self, request: Request) -> Response:
        """Return the figures of the last days, today included."""
        days = number_of(request, "days", default=7, most=MOST_DAYS)
        return Response(TokenDaySerializer(tokens_by_day(asked_of(self), days=days), many=True).data)

    @extend_schema(
        parameters=[_number("months", "How many months", 3, MOST_MONTHS), TZ],
        responses=TokenMonthSerializer(many=True),
    )
    def monthly(self, request: Request) -> Response:
        """Return the figures of the last months, this one included."""
        months = number_of(request, "months", default=3, most=MOST_MONTHS)
        return Response(TokenMonthSerializer(tokens_by_month(asked_of(self), months=months), many=True).data)

    @extend_schema(
        parameters=[
            OpenApiParameter("date", OpenApiTypes.DATE, description="Default: today."),
            _number("top", "How many users", 10, MOST_USERS),
            TZ,
        ],
        responses=TokenUserSerializer(many=True),
    )
    def ranking(self, request: Request) -> Response:
        """Return the users of a day with the most tokens."""
        asked = asked_of(self)
        day = day_of(request, "date", default=asked.today)
        top = number_of(request, "top", default=10, most=MOST_USERS)
        return Response(TokenUserSerializer(tokens_by_user(asked, day=day, top=top), many=True).data)

    @extend_schema(parameters=[TZ], responses=DashboardSerializer)
    def dashboard(self, request: Request) -> Response:
        """Return today beside yesterday."""
        return Response(DashboardSerializer(token_dashboard(asked_of(self))).data)

    @extend_schema(
        parameters=[
            OpenApiParameter(
                "by", OpenApiTypes.STR, enum=CUTS, description="What the costs are cut by; default model."
            ),
            START,
            END,
            TZ,
        ],
        responses=CostsSerializer,
    )
    def costs(self, request: Request) -> Response:
        """Return what a period cost, in all and by model, session, user or day."""
        by = request.query_params.get("by", "model")
        if by not in CUTS:
            raise InvalidInput.at("/by", _("One of %s is required.") % ", ".join(CUTS))
        asked = asked_of(self)
        start, end = period_of(request, now=asked.now)
        return Response(CostsSerializer(costs(asked, by=by, start=start, end=end)).data)
