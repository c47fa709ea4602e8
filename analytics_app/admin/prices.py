"""Admin of a project's own prices."""

from django.contrib import admin
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from analytics_app.models import ModelPrice
from analytics_app.services.own_prices import model_price_create, model_price_delete, model_price_update
from config.shared.admin.base import LedgerModelAdmin
from config.shared.callers import Caller

PRICES = ("input_mtok", "output_mtok", "cache_read_mtok", "cache_write_mtok")
VALUES = ("provider", "model", "valid_from", *PRICES, "note")


@admin.register(ModelPrice)
class ModelPriceAdmin(LedgerModelAdmin):
    """What models cost where the public prices are not the agreed ones. Recorded costs stay as they are."""

    list_display = ("model", "provider", *PRICES, "valid_from")
    search_fields = ("^model",)
    search_help_text = _("Beginning of a model's name")
    autocomplete_fields = ("project",)
    identity_fields = ("project",)
    readonly_fields = ("created_at", "updated_at")
    fieldsets = (
        (None, {"fields": ("project", "model", "provider", "valid_from")}),
        (_("Prices in USD per million tokens"), {"fields": PRICES}),
        (_("More"), {"fields": ("note", "created_at", "updated_at")}),
    )

    def row_create(self, row: ModelPrice, caller: Caller) -> ModelPrice:
        values = {name: getattr(row, name) for name in VALUES}
        return model_price_create(project_id=row.project_id, values=values, caller=caller, now=timezone.now())

    def row_update(self, row: ModelPrice, changed: list[str], caller: Caller) -> None:
        values = {name: getattr(row, name) for name in changed}
        stored = ModelPrice.objects.get(pk=row.pk)
        model_price_update(price=stored, values=values, caller=caller, now=timezone.now())

    def row_delete(self, row: ModelPrice, caller: Caller) -> None:
        model_price_delete(price=row, caller=caller, now=timezone.now())
