"""Admin of the roll-ups: to be looked at, and made anew by a command."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path
from django.utils.translation import gettext_lazy as _

from analytics_app.admin.dashboard.page import dashboard_page
from analytics_app.models import ModelUsage, UserUsage
from config.shared.admin.base import LedgerModelAdmin

_SUMS = ("uses", "total_tokens", "cost", "unpriced")


class RollupAdmin(LedgerModelAdmin):
    """Rows that are derived from the facts, and so never changed by hand."""

    ordering = ("-start", "-pk")
    list_filter = ("grain",)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(ModelUsage)
class ModelUsageAdmin(RollupAdmin):
    """What models used, by hour and day."""

    list_display = ("start", "grain", "model", "provider", *_SUMS)
    search_fields = ("=model",)
    search_help_text = _("Name of a model")

    def get_urls(self) -> list[URLPattern]:
        """Put the dashboard beside the list that most of it is read from."""
        page = path("dashboard/", self.admin_site.admin_view(self.dashboard), name="analytics_app_modelusage_dashboard")
        return [page, *super().get_urls()]

    def dashboard(self, request: HttpRequest) -> HttpResponse:
        """Show figures of a period as charts."""
        return dashboard_page(request, self.admin_site)


@admin.register(UserUsage)
class UserUsageAdmin(RollupAdmin):
    """What users used, by hour and day."""

    list_display = ("start", "grain", "user_id", *_SUMS)
    search_fields = ("=user_id",)
    search_help_text = _("A user's id")
