"""Admin of tool calls and LLM calls."""

from typing import Any

from django.contrib import admin
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from config.shared.admin.badges import STATUS_COLOURS, status_label
from config.shared.admin.filters import exact_filter, period_filter
from history_app.admin.base import FactAdmin
from history_app.admin.searching import SearchedByText
from history_app.models import LLMCall, ToolCall


@admin.register(ToolCall)
class ToolCallAdmin(SearchedByText, FactAdmin):
    """Calls of tools; lists leave what went in and came out in the database."""

    record_type = "tool_call"
    list_display = ("tool_name", "shown_status", "execution_time", "in_conversation", "timestamp")
    list_filter = ("status", exact_filter("tool_name", _("tool")), period_filter("timestamp", _("time")))
    columns = ("tool_name", "status", "execution_time")
    search_fields = ("^session__session_id", "=tool_name")
    search_help_text = _("Part of the input or output, the beginning of a session id, or a whole tool name")
    raw_id_fields = ("session", "task")
    masked_fields = ("tool_input", "tool_output", "error_message")
    fieldsets = (
        (None, {"fields": ("project", "session", "task", "record_id", "tool_name", "status", "timestamp")}),
        (_("Result"), {"fields": ("execution_time", "error_message")}),
        (_("Contents"), {"fields": ("tool_input", "tool_output")}),
        (_("Metadata"), {"fields": ("metadata",)}),
    )

    @display(description=_("status"), label=STATUS_COLOURS)
    def shown_status(self, row: ToolCall) -> tuple[str, Any]:
        """The status as a badge."""
        return status_label(row, "status")


@admin.register(LLMCall)
class LLMCallAdmin(FactAdmin):
    """Calls of language models, request and response joined."""

    list_display = ("model", "provider", "response_time", "answered", "in_conversation", "timestamp")
    list_filter = (exact_filter("model", _("model")), period_filter("timestamp", _("time")))
    columns = ("model", "provider", "response_time", "response_record_id")
    search_fields = ("^session__session_id", "=model")
    search_help_text = _("Beginning of a session id, or a whole model name")
    identity_fields = ("project", "session", "record_id", "request_id")
    masked_fields = ("messages", "response")
    fieldsets = (
        (None, {"fields": ("project", "session", "record_id", "request_id", "model", "provider", "timestamp")}),
        (_("Response"), {"fields": ("responded_at", "response_time", "response_record_id", "token_usage")}),
        (_("Contents"), {"fields": ("messages", "parameters", "response")}),
        (_("Metadata"), {"fields": ("metadata", "response_metadata")}),
    )

    @display(description=_("answered"), boolean=True)
    def answered(self, row: LLMCall) -> bool:
        """Whether the response has been reported."""
        return row.answered
