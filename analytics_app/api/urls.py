"""The addresses of the sums."""

from typing import Any

from django.urls import re_path

from analytics_app.api.views.activity import ActivityViewSet
from analytics_app.api.views.overview import OverviewViewSet
from analytics_app.api.views.prices import ModelPriceViewSet
from analytics_app.api.views.tokens import TokensViewSet
from config.shared.api.routers import LedgerRouter

router = LedgerRouter()
router.register("model-prices", ModelPriceViewSet, basename="model-price")

_TOKENS = {
    "tokens/daily": "daily",
    "tokens/monthly": "monthly",
    "tokens/ranking": "ranking",
    "dashboard": "dashboard",
    "costs": "costs",
}

urlpatterns: list[Any] = [
    re_path(r"^analytics/overview/?$", OverviewViewSet.as_view({"get": "overview"}), name="analytics-overview"),
    *[
        re_path(rf"^analytics/{path}/?$", TokensViewSet.as_view({"get": action}), name=f"analytics-{action}")
        for path, action in _TOKENS.items()
    ],
    *[
        re_path(rf"^analytics/{action}/?$", ActivityViewSet.as_view({"get": action}), name=f"analytics-{action}")
        for action in ("performance", "sessions", "storage")
    ],
    *router.urls,
]
