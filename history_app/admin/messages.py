"""Admin of messages."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.db.models.functions import Coalesce, Left
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from config.shared.admin.filters import period_filter
from history_app.admin.base import FactAdmin
from history_app.admin.searching import SearchedByText
from history_app.models import Message

BEGINNING_CHARACTERS = 120


@admin.register(Message)
class MessageAdmin(SearchedByText, FactAdmin):
    """Messages of all sessions; a list reads only their beginnings."""

    record_type = "message"
    search_help_text = _("Part of the content, or the beginning of a session id")
    list_display = ("sequence", "role", "shown_beginning", "in_conversation", "timestamp")
    list_display_links = ("sequence", "shown_beginning")
    list_filter = ("role", period_filter("timestamp", _("time")))
    columns = ("sequence", "role")
    masked_fields = ("content", "structured_content", "beginning_text")
    fieldsets = (
        (None, {"fields": ("project", "session", "sequence", "record_id", "role", "timestamp")}),
        (_("Content"), {"fields": ("content", "structured_content")}),
        (_("Metadata"), {"fields": ("metadata",)}),
    )

    def get_readonly_fields(self, request: HttpRequest, obj: Message | None = None) -> list[Any]:
        """Keep the number, and the text of a structure, which follows from the structure."""
        fields = [*super().get_readonly_fields(request, obj), "sequence"]
        follows = obj is not None and obj.structured_content is not None
        return [*fields, self._shown("content")] if follows else fields

    def list_rows(self, rows: QuerySet[Message]) -> QuerySet[Message]:
        """Read the beginning of each message, not the whole."""
        beginning = Coalesce(Left("content", BEGINNING_CHARACTERS), Left("structured_content", BEGINNING_CHARACTERS))
        return super().list_rows(rows).annotate(beginning_text=beginning)

    @display(description=_("content"))
    def shown_beginning(self, row: Any) -> str:
        """The beginning of the message on one line."""
        text = " ".join((row.beginning_text or "").split())
        return format_html('<span class="ledger-beginning" dir="auto">{}</span>', text or "-")
