"""What the admin pages of all facts have in common."""

from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from config.shared.admin.facts import ProtectedModelAdmin
from config.shared.callers import Caller
from history_app.models import Fact
from history_app.services.edits import fact_delete
from history_app.services.staff_records import fact_add, fact_restate


class FactAdmin(ProtectedModelAdmin):
    """Facts of one kind, newest first, each with a link into its conversation."""

    time_field = "timestamp"
    list_select_related = ("session",)
    search_fields: tuple[str, ...] = ("^session__session_id",)
    search_help_text = _("Beginning of a session id")
    raw_id_fields: tuple[str, ...] = ("session",)
    identity_fields = ("project", "session", "record_id")
    made_when_empty = ("record_id", "request_id")
    # What every list of facts reads besides its own columns.
    common_columns = ("record_id", "timestamp", "session__session_id")
    columns: tuple[str, ...] = ()

    def get_fieldsets(self, request: HttpRequest, obj: Fact | None = None) -> list[Any]:
        """Leave out the project of a new fact: it is its session's."""
        fieldsets = super().get_fieldsets(request, obj)
        if obj is not None:
            return fieldsets
        return [
            (title, {**parts, "fields": [name for name in parts["fields"] if name != "project"]})
            for title, parts in fieldsets
        ]

    @property
    def list_only(self) -> tuple[str, ...]:  # type: ignore[override]
        """The columns of the list."""
        return (*self.common_columns, *self.columns)

    def row_create(self, row: Fact, caller: Caller) -> Fact:
        return fact_add(fact=row, caller=caller, now=timezone.now())

    def row_update(self, row: Fact, changed: list[str], caller: Caller) -> None:
        fact_restate(fact=row, caller=caller, now=timezone.now())

    def row_delete(self, row: Fact, caller: Caller) -> None:
        fact_delete(fact=row, caller=caller, now=timezone.now())

    @display(description=_("session"))
    def in_conversation(self, row: Fact) -> str:
        """The session's id, leading to its conversation."""
        link = reverse("admin:sessions_app_session_conversation", args=[row.session_id])
        return format_html('<a class="text-link ledger-id" dir="auto" href="{}">{}</a>', link, row.session.session_id)
