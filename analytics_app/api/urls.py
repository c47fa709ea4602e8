"""The addresses of the sums."""

from django.urls import re_path

from analytics_app.api.views import OverviewViewSet

urlpatterns = [
    re_path(r"^analytics/overview/?$", OverviewViewSet.as_view({"get": "overview"}), name="analytics-overview"),
]
