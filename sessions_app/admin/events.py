"""Admin of events: what webhooks will tell, to look at."""

from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from config.shared.admin.filters import exact_filter
from sessions_app.admin.base import ViewOnly
from sessions_app.models import Event


@admin.register(Event)
class EventAdmin(ViewOnly):
    """Events, newest first."""

    list_display = ("kind", "subject", "created_at", "delivered_at")
    list_filter = (exact_filter("kind", _("kind")),)
    search_fields = ("=id",)
    search_help_text = _("Number of an event")
    fieldsets = ((None, {"fields": ("project", "kind", "subject", "payload", "created_at", "delivered_at")}),)
