"""Admin of sessions in other systems that are to be deleted there: what was done, what failed and why."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from unfold.decorators import display

from config.shared.admin.badges import STATUS_COLOURS
from config.shared.admin.callers import caller_of_staff
from sessions_app.admin.base import ViewOnly
from sessions_app.models import ExternalDeletion, SessionDeletion
from sessions_app.services.external_deletions import external_deletion_retry


@admin.register(ExternalDeletion)
class ExternalDeletionAdmin(ViewOnly):
    """Each is tried until it is done; the pause between two attempts doubles."""

    time_field = "created_at"
    list_display = ("session_id", "connector", "shown_standing", "attempts", "last_error", "next_attempt_at", "done_at")
    list_filter = (("done_at", admin.EmptyFieldListFilter),)
    search_fields = ("^session_id",)
    search_help_text = _("Beginning of a session id")
    actions = ("retry",)

    @display(description=_("standing"), label=STATUS_COLOURS)
    def shown_standing(self, row: ExternalDeletion) -> tuple[str, Any]:
        """Done, waiting, or failed so far."""
        if row.done_at:
            return "completed", _("done")
        return ("failed", _("failed so far")) if row.last_error else ("pending", _("waiting"))

    def has_retry_permission(self, request: HttpRequest) -> bool:
        """Operators and administrators may have it tried at once."""
        return request.user.has_perm("sessions_app.change_externaldeletion")

    @admin.action(description=_("Try again now"), permissions=["retry"])
    def retry(self, request: HttpRequest, queryset: QuerySet[ExternalDeletion]) -> None:
        """Make the chosen deletions due."""
        caller, now = caller_of_staff(request), timezone.now()
        due = sum(external_deletion_retry(deletion=row, caller=caller, now=now) for row in queryset)
        told = ngettext("%(count)d deletion is tried next.", "%(count)d deletions are tried next.", due)
        messages.success(request, told % {"count": due})


@admin.register(SessionDeletion)
class SessionDeletionAdmin(ViewOnly):
    """Deleted sessions whose rows are still being removed."""

    project_path = "session__project_id"
    list_display = ("former_id", "requested_at")
    list_only = ("former_id", "requested_at")
    search_fields = ("^former_id",)
    search_help_text = _("Beginning of a session id")
