"""Every address of the product."""

from django.contrib import admin
from django.urls import include, path, re_path
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView

from config import pages
from config.health import healthz, readyz

# From the top down: what an app adds below a session stands before the session itself, whose id may hold slashes.
API_APPS = ["backups_app", "analytics_app", "history_app", "sessions_app"]

urlpatterns = [
    path("", pages.landing, name="landing"),
    path("healthz", healthz, name="healthz"),
    path("readyz", readyz, name="readyz"),
    path("admin/", admin.site.urls),
    path("i18n/", include("django.conf.urls.i18n")),
    path("api/schema/", SpectacularAPIView.as_view(), name="schema"),
    path("api/docs/", SpectacularSwaggerSplitView.as_view(url_name="schema"), name="docs"),
    *[path("api/", include(f"{app}.api.urls")) for app in API_APPS],
    re_path(r"^api/(?P<path>.*)$", pages.api_not_found),
]

handler400 = pages.bad_request
handler404 = pages.not_found
handler500 = pages.server_error
