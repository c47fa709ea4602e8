"""Admin of session states, version by version."""

from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from sessions_app.admin.base import ViewOnly
from sessions_app.models import SessionState


@admin.register(SessionState)
class SessionStateAdmin(ViewOnly):
    """Every version of every session's state that is kept; a new one comes of a write or a rollback only."""

    project_path = "session__project_id"
    list_display = ("session", "version", "current_step", "iteration_count", "workflow_name", "created_at")
    list_select_related = ("session",)
    list_only = (
        "version",
        "current_step",
        "iteration_count",
        "workflow_name",
        "created_at",
        "session__session_id",
        "session__title",
    )
    search_fields = ("^session__session_id",)
    search_help_text = _("Beginning of a session id")
    masked_fields = ("errors", "tool_results", "data")
    fieldsets = (
        (None, {"fields": ("session", "version", "is_current", "current_step", "workflow_name")}),
        (_("Time"), {"fields": ("start_time", "created_at", "turn_id")}),
        (_("Progress"), {"fields": (("iteration_count", "max_iterations"),)}),
        (_("Documents"), {"fields": ("data", "tool_results", "errors")}),
    )
