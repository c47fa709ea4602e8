"""Admin of the audit log: to read, never to write."""

from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from config.shared.admin.filters import exact_filter, period_filter
from sessions_app.admin.base import ViewOnly
from sessions_app.models import AuditChain, AuditEntry


@admin.register(AuditEntry)
class AuditEntryAdmin(ViewOnly):
    """Who changed or saw what, newest first."""

    time_field = "at"
    list_display = ("number", "at", "actor", "action", "target_type", "target_id", "project")
    list_filter = (
        period_filter("at", _("time")),
        exact_filter("action", _("action")),
        exact_filter("target_type", _("target type")),
    )
    list_select_related = ("project",)
    list_only = ("number", "at", "actor", "action", "target_type", "target_id", "project__slug")
    search_fields = ("^action", "^target_type")
    search_help_text = _("Beginning of an action or of a target type")
    fieldsets = (
        (None, {"fields": ("project", "number", "at", "actor_kind", "actor", "action", "target_type", "target_id")}),
        (_("What changed"), {"fields": ("changes",)}),
        (_("Chain"), {"fields": ("previous_hash", "entry_hash")}),
    )


@admin.register(AuditChain)
class AuditChainAdmin(ViewOnly):
    """The end of each project's chain of audit entries."""

    list_display = ("project", "last_number", "last_hash")
    list_select_related = ("project",)
