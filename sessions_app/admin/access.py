"""Admin of API keys: made here, shown once, revoked here."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from config.shared.admin.base import LedgerModelAdmin
from config.shared.admin.callers import caller_of_staff
from sessions_app.admin.base import StaffEdited
from sessions_app.models import ApiKey
from sessions_app.services.api_keys import api_key_create, api_key_revoke


@admin.register(ApiKey)
class ApiKeyAdmin(StaffEdited, LedgerModelAdmin):
    """API keys. Only the visible beginning and a keyed hash are stored."""

    time_field = "created_at"
    list_display = (
        "name",
        "prefix",
        "shown_role",
        "project",
        "shown_state",
        "last_used_at",
        "expires_at",
        "created_at",
    )
    list_filter = ("role", ("revoked_at", admin.EmptyFieldListFilter))
    list_select_related = ("project",)
    search_fields = ("^prefix", "name")
    search_help_text = _("Beginning of a key's prefix, or part of a name")
    autocomplete_fields = ("project",)
    identity_fields = ("project",)
    readonly_fields = ("prefix", "created_by", "created_at", "last_used_at", "revoked_at")
    fieldsets = (
        (None, {"fields": ("project", "name", "role", "expires_at")}),
        (_("Use"), {"fields": ("prefix", "created_by", "created_at", "last_used_at", "revoked_at")}),
    )
    add_fieldsets = ((None, {"fields": ("project", "name", "role", "expires_at")}),)
    actions = ("revoke",)

    @display(description=_("role"))
    def shown_role(self, row: ApiKey) -> str:
        """The role's own word."""
        return row.role

    @display(description=_("state"), label={"usable": "success", "revoked": "danger", "expired": "warning"})
    def shown_state(self, row: ApiKey) -> tuple[str, Any]:
        """Whether the key opens anything now."""
        if row.revoked_at is not None:
            return "revoked", _("revoked")
        if row.expires_at is not None and row.expires_at <= timezone.now():
            return "expired", _("expired")
        return "usable", _("usable")

    @admin.action(description=_("Revoke the selected keys"), permissions=["change"])
    def revoke(self, request: HttpRequest, queryset: QuerySet[ApiKey]) -> None:
        """Make keys useless from now on; the rows stay as a record."""
        for key in queryset.filter(revoked_at__isnull=True):
            api_key_revoke(key=key, caller=caller_of_staff(request), now=timezone.now())
        self.message_user(request, _("The keys open nothing any more."))

    def save_model(self, request: HttpRequest, obj: ApiKey, form: Any, change: bool) -> None:
        """Keep the text of a new key for the answer to this one request."""
        if change:
            super().save_model(request, obj, form, change)
            return
        caller = caller_of_staff(request)
        key, request.new_api_key = api_key_create(
            project=obj.project,
            name=obj.name,
            role=obj.role,
            expires_at=obj.expires_at,
            caller=caller,
            now=timezone.now(),
        )
        obj.pk, obj.prefix = key.pk, key.prefix

    def response_add(self, request: HttpRequest, obj: ApiKey, post_url_continue: str | None = None) -> HttpResponse:
        """Show the new key, this once, in the answer itself: it passes through no message, cookie or session."""
        context = {
            **self.admin_site.each_context(request),
            "title": _("API key created"),
            "opts": self.opts,
            "key": obj,
            "token": request.new_api_key,
        }
        return TemplateResponse(request, "admin/api_key_created.html", context, headers={"Cache-Control": "no-store"})
