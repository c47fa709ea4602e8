"""Admin of sessions. A session's link opens its conversation; the form is one step further."""

from typing import Any

from django.conf import settings
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.module_loading import import_string
from django.utils.text import Truncator
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from config.shared.admin.badges import STATUS_COLOURS, status_label
from config.shared.admin.base import LedgerModelAdmin
from config.shared.admin.filters import exact_filter, period_filter
from config.shared.admin.forms import VersionedForm
from config.shared.callers import Caller
from sessions_app.admin.base import ViewOnly
from sessions_app.admin.state_versions import versions_page
from sessions_app.models import Session, SessionActivity, SessionLabel
from sessions_app.services.session_edits import session_add, session_edit
from sessions_app.services.sessions import session_delete

DOCUMENTS = (
    "agent_config",
    "workflow_config",
    "metadata",
    "context",
    "settings",
    "thread_configs",
    "external_ids",
)


@admin.register(Session)
class SessionAdmin(LedgerModelAdmin):
    """Sessions, newest first."""

    form = VersionedForm
    time_field = "created_at"
    list_display = ("shown_session", "shown_status", "workflow", "messages", "last_activity")
    list_filter = (
        "status",
        period_filter("created_at", _("created")),
        exact_filter("user_id", _("user id")),
    )
    list_select_related = ("workflow", "activity")
    list_only = (
        "session_id",
        "title",
        "user_id",
        "status",
        "created_at",
        "workflow__name",
        "activity__message_count",
        "activity__last_activity_at",
    )
    search_fields = ("^session_id", "^user_id")
    search_help_text = _("Beginning of a session id or user id")
    autocomplete_fields = ("project", "workflow")
    identity_fields = ("project", "session_id")
    made_when_empty = ("session_id",)
    readonly_fields = ("version", "updated_at")
    masked_fields = ("context",)
    change_form_outer_before_template = "admin/session_links.html"
    fieldsets = (
        (None, {"fields": ("project", "session_id", "title", "user_id", "status", "workflow", "tags", "seen_version")}),
        (_("Lifetime"), {"fields": ("ttl_seconds", "expires_at", "created_at", "updated_at", "version")}),
        (_("Documents"), {"fields": ("workflow_config_path", *DOCUMENTS), "classes": ("tab",)}),
    )

    @display(description=_("session"), ordering="session_id")
    def shown_session(self, row: Session) -> str:
        """The title, or the id where there is none; below it the id and the user."""
        title = Truncator(row.title or row.session_id).chars(70)
        below = format_html_join(
            " · ",
            '<span dir="auto">{}</span>',
            [[text] for text in (row.title and row.session_id, row.user_id) if text],
        )
        return format_html('<span dir="auto">{}</span><br><span class="ledger-id ledger-note">{}</span>', title, below)

    @display(description=_("status"), label=STATUS_COLOURS)
    def shown_status(self, row: Session) -> tuple[str, Any]:
        """The status as a badge."""
        return status_label(row, "status")

    @display(description=_("messages"))
    def messages(self, row: Session) -> int:
        """How many messages the session holds."""
        activity = getattr(row, "activity", None)
        return activity.message_count if activity else 0

    @display(description=_("last activity"))
    def last_activity(self, row: Session) -> Any:
        """When something last happened in the session."""
        activity = getattr(row, "activity", None)
        return activity.last_activity_at if activity else None

    def row_url(self, row: Session) -> str:
        """Open the conversation."""
        return reverse("admin:sessions_app_session_conversation", args=[row.pk])

    def get_urls(self) -> list[URLPattern]:
        """Put the conversation before the patterns that take any path."""
        conversation = path(
            "<int:session_pk>/conversation/",
            self.admin_site.admin_view(self.conversation_view),
            name="sessions_app_session_conversation",
        )
        states = path(
            "<int:session_pk>/states/",
            self.admin_site.admin_view(self.states_view),
            name="sessions_app_session_states",
        )
        return [conversation, states, *super().get_urls()]

    def states_view(self, request: HttpRequest, session_pk: int) -> HttpResponse:
        """Show the versions of the session's state, and go back to one."""
        return versions_page(request, self, session_pk)

    def conversation_view(self, request: HttpRequest, session_pk: int) -> HttpResponse:
        """Show the session as a conversation; the app that knows what was said provides the page."""
        return import_string(settings.AGENTLEDGER_CONVERSATION_VIEW)(request, self, session_pk)

    def row_create(self, row: Session, caller: Caller) -> Session:
        return session_add(session=row, caller=caller, now=timezone.now())

    def row_update(self, row: Session, changed: list[str], caller: Caller) -> None:
        session_edit(session=row, changed=changed, caller=caller, now=timezone.now())

    def row_delete(self, row: Session, caller: Caller) -> None:
        session_delete(session=row, caller=caller, now=timezone.now())


@admin.register(SessionActivity)
class SessionActivityAdmin(ViewOnly):
    """How much happened in each session, and when last; services keep it in step with the facts."""

    project_path = "session__project_id"
    list_display = ("session", "message_count", "last_sequence", "last_activity_at")
    list_select_related = ("session",)
    list_only = ("message_count", "last_sequence", "last_activity_at", "session__session_id", "session__title")
    search_fields = ("^session__session_id",)
    search_help_text = _("Beginning of a session id")


@admin.register(SessionLabel)
class SessionLabelAdmin(ViewOnly):
    """Tags and metadata of sessions in the form that filters look up; they follow the session's own fields."""

    project_path = "session__project_id"
    list_display = ("value", "kind", "key", "session")
    list_filter = ("kind", exact_filter("key", _("key")))
    list_select_related = ("session",)
    list_only = ("kind", "key", "value", "session__session_id", "session__title")
    search_fields = ("^session__session_id",)
    search_help_text = _("Beginning of a session id")
