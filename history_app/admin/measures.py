"""Admin of errors and metrics."""

from typing import Any

from django.contrib import admin
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from config.shared.admin.badges import STATUS_COLOURS, status_label
from config.shared.admin.filters import exact_filter, period_filter
from history_app.admin.base import FactAdmin
from history_app.models import ErrorRecord, Metric


@admin.register(ErrorRecord)
class ErrorRecordAdmin(FactAdmin):
    """Errors that agents reported."""

    list_display = ("error_type", "shown_severity", "error_id", "in_conversation", "timestamp")
    list_filter = ("severity", exact_filter("error_type", _("type")), period_filter("timestamp", _("time")))
    columns = ("error_type", "severity", "error_id")
    search_fields = ("^session__session_id", "=error_type")
    search_help_text = _("Beginning of a session id, or a whole error type")
    masked_fields = ("error_message", "stack_trace")
    fieldsets = (
        (None, {"fields": ("project", "session", "record_id", "error_id", "error_type", "severity", "timestamp")}),
        (_("Contents"), {"fields": ("error_message", "stack_trace")}),
        (_("Metadata"), {"fields": ("metadata",)}),
    )

    @display(description=_("severity"), label=STATUS_COLOURS)
    def shown_severity(self, row: ErrorRecord) -> tuple[str, Any]:
        """The severity as a badge."""
        return status_label(row, "severity")


@admin.register(Metric)
class MetricAdmin(FactAdmin):
    """Numbers measured in sessions."""

    list_display = ("metric_type", "metric_value", "in_conversation", "timestamp")
    list_filter = (exact_filter("metric_type", _("metric")), period_filter("timestamp", _("time")))
    columns = ("metric_type", "metric_value")
    search_fields = ("^session__session_id", "=metric_type")
    search_help_text = _("Beginning of a session id, or a whole metric name")
    fieldsets = (
        (None, {"fields": ("project", "session", "record_id", "metric_type", "metric_value", "timestamp")}),
        (_("Metadata"), {"fields": ("metadata",)}),
    )
