"""Admin of the agents in memory: who holds which session, since when, and whether the agent is idle."""

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from config.shared.admin.base import LedgerModelAdmin
from config.shared.admin.callers import caller_of_staff
from config.shared.callers import Caller
from config.shared.errors import Unavailable
from sessions_app.models import AgentResidency, Session
from sessions_app.services.residency import residencies_newest
from sessions_app.services.residency.overview import Residency
from sessions_app.services.residency_edits import residency_release

# Rows of the list where leases are kept in Redis.
SHOWN = 200


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

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Show the table's list; where leases are kept in Redis, the newest of them in a table of our own."""
        if not settings.REDIS_URL:
            return super().changelist_view(request, extra_context)
        if not self.has_view_permission(request):
            raise PermissionDenied
        if request.method == "POST":
            return self._released(request)
        context = {
            **self.admin_site.each_context(request),
            "title": capfirst(self.opts.verbose_name_plural),
            "opts": self.opts,
            "may_release": self.has_delete_permission(request),
            "residencies": self._newest(request),
        }
        return TemplateResponse(request, "admin/residencies.html", context)

    def _newest(self, request: HttpRequest) -> list[Residency] | None:
        """Return the newest leases, None while Redis is away."""
        asked = {"caller": caller_of_staff(request), "now": timezone.now(), "limit": SHOWN}
        try:
            return residencies_newest(**asked, idle_seconds=settings.AGENT_IDLE_SECONDS)
        except Unavailable:
            return None

    def _released(self, request: HttpRequest) -> HttpResponse:
        if not self.has_delete_permission(request):
            raise PermissionDenied
        caller, now = caller_of_staff(request), timezone.now()
        chosen = [pk for pk in request.POST.getlist("session") if pk.isdecimal()]
        try:
            rows = Session.objects.visible_to(caller).filter(pk__in=chosen)
            released = sum(residency_release(session=row, caller=caller, now=now) for row in rows)
            messages.success(request, _("Released: %(count)d.") % {"count": released})
        except Unavailable as away:
            messages.error(request, str(away))
        return HttpResponseRedirect(request.path)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def row_delete(self, row: AgentResidency, caller: Caller) -> None:
        residency_release(session=row.session, caller=caller, now=timezone.now())
