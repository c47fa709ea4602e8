"""Admin of failed logins, so that staff can see them and let somebody in again."""

from axes.models import AccessAttempt, AccessFailureLog, AccessLog
from django.contrib import admin
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from config.shared.admin.base import LedgerModelAdmin
from config.shared.callers import Caller
from sessions_app.services.staff_edits import row_delete

for _model in (AccessAttempt, AccessFailureLog, AccessLog):
    if admin.site.is_registered(_model):
        admin.site.unregister(_model)


@admin.register(AccessAttempt)
class AccessAttemptAdmin(LedgerModelAdmin):
    """Failed logins that count towards a lock. Deleting a row unlocks its name and address."""

    project_path = None
    ordering = ("-pk",)
    list_display = ("username", "ip_address", "attempt_time", "failures_since_start", "user_agent")
    list_only = ("username", "ip_address", "attempt_time", "failures_since_start", "user_agent")
    search_fields = ("username", "=ip_address")
    search_help_text = _("Part of a user name, or an address")
    fields = (
        "username",
        "ip_address",
        "user_agent",
        "path_info",
        "http_accept",
        "attempt_time",
        "failures_since_start",
    )

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: AccessAttempt | None = None) -> bool:
        return False

    def row_delete(self, row: AccessAttempt, caller: Caller) -> None:
        row_delete(row=row, caller=caller, now=timezone.now())
