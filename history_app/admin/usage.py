"""Admin of token usage."""

from typing import Any

from django.contrib import admin
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from config.shared.admin.filters import exact_filter, period_filter
from config.shared.admin.numbers import shown_money, shown_number
from history_app.admin.base import FactAdmin
from history_app.models import TokenUsage

TOKENS = ("prompt_tokens", "completion_tokens", "total_tokens")


@admin.register(TokenUsage)
class TokenUsageAdmin(FactAdmin):
    """Tokens used, and what they cost."""

    list_display = ("model", "provider", "shown_tokens", "shown_cost", "cost_status", "in_conversation", "timestamp")
    list_filter = (
        "cost_status",
        exact_filter("model", _("model")),
        exact_filter("user_id", _("user id")),
        period_filter("timestamp", _("time")),
    )
    # What a use costs follows from what was reported.
    readonly_fields = ("cost", "cost_status", "price_source", "cost_record_id")
    columns = ("model", "provider", *TOKENS, "cost", "cost_status")
    search_fields = ("^session__session_id", "=model", "=user_id")
    search_help_text = _("Beginning of a session id, or a whole model name or user id")
    fieldsets = (
        (None, {"fields": ("project", "session", "record_id", "user_id", "model", "provider", "source", "timestamp")}),
        (_("Tokens"), {"fields": (TOKENS, ("cache_read_tokens", "cache_write_tokens"))}),
        (_("Cost"), {"fields": ("cost", "cost_status", "price_source", "reported_cost", "cost_record_id")}),
        (_("Metadata"), {"fields": ("metadata",)}),
    )

    @display(description=_("tokens"))
    def shown_tokens(self, row: TokenUsage) -> Any:
        """The total, or the sum of the parts where only they were reported."""
        parts = [row.prompt_tokens, row.completion_tokens]
        total = row.total_tokens
        if total is None and any(part is not None for part in parts):
            total = sum(part or 0 for part in parts)
        return shown_number(total)

    @display(description=_("cost (USD)"))
    def shown_cost(self, row: TokenUsage) -> str:
        """The cost with the digits it has."""
        return shown_money(row.cost)
