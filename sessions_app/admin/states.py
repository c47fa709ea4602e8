"""Admin of session states, version by version, and of the agents in memory."""

from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from config.shared.admin.base import LedgerModelAdmin
from sessions_app.admin.base import StaffEdited, ViewOnly
from sessions_app.models import AgentResidency, SessionState


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


@admin.register(AgentResidency)
class AgentResidencyAdmin(StaffEdited, LedgerModelAdmin):
    """Which agents are in memory now; deleting a row releases the agent and removes no data."""

    project_path = "session__project_id"
    list_display = ("agent_id", "host", "session", "resident_since", "heartbeat_at")
    list_filter = ()
    list_select_related = ("session",)
    list_only = ("agent_id", "host", "resident_since", "heartbeat_at", "session__session_id", "session__title")
    search_fields = ("^session__session_id",)
    search_help_text = _("Beginning of a session id")
    raw_id_fields = ("session",)
    identity_fields = ("session",)

    def project_of(self, row: AgentResidency) -> int:
        return row.session.project_id
