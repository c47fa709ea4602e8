"""Admin of the agents in memory: who holds which session, since when, and whether the agent is idle."""

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.contrib import admin
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from config.shared.admin.base import LedgerModelAdmin
from config.shared.callers import Caller
from sessions_app.models import AgentResidency
from sessions_app.services.residency_edits import residency_release


@admin.register(AgentResidency)
class AgentResidencyAdmin(LedgerModelAdmin):
    """Which agents are in memory now; deleting a row releases the agent and removes no data."""

    time_field = "heartbeat_at"
    list_display = ("agent_id", "host", "session", "shown_idle", "resident_since", "heartbeat_at", "fence")
    list_filter = ()
    list_select_related = ("session",)
    list_only = (
        "project_id",
        "agent_id",
        "host",
        "fence",
        "resident_since",
        "heartbeat_at",
        "session__session_id",
        "session__title",
    )
    search_fields = ("^session__session_id",)
    search_help_text = _("Beginning of a session id")
    raw_id_fields = ("session",)
    identity_fields = ("project", "session")

    @display(description=_("in use"), boolean=True)
    def shown_idle(self, row: AgentResidency) -> bool:
        """Whether the last heartbeat is younger than AGENT_IDLE_SECONDS."""
        return row.heartbeat_at > timezone.now() - timedelta(seconds=settings.AGENT_IDLE_SECONDS)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def row_delete(self, row: AgentResidency, caller: Caller) -> None:
        residency_release(session=row.session, caller=caller, now=timezone.now())
