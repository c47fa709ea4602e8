"""A project's own prices over the API."""

from typing import Any

from django.utils import timezone

from analytics_app.api.serializers.prices import ModelPriceSerializer
from analytics_app.models import ModelPrice
from analytics_app.services.own_prices import model_price_create, model_price_delete, model_price_update
from config.shared.api.filters import LedgerFilterSet, TextFilter
from config.shared.api.routers import NUMBER
from config.shared.api.viewsets import (
    KEEPERS,
    CreateMixin,
    DestroyMixin,
    LedgerViewSet,
    ListMixin,
    RetrieveMixin,
    UpdateMixin,
)


class ModelPriceFilterSet(LedgerFilterSet):
    """Prices of one model."""

    model = TextFilter()

    class Meta:
        model = ModelPrice
        fields: tuple[str, ...] = ()


class ModelPriceViewSet(ListMixin, CreateMixin, RetrieveMixin, UpdateMixin, DestroyMixin, LedgerViewSet):
    """A project's own prices, which go before the public ones. Recorded costs stay as they are."""

    queryset = ModelPrice.objects.all()
    serializer_class = ModelPriceSerializer
    filterset_class = ModelPriceFilterSet
    lookup_field = "id"
    lookup_value_regex = NUMBER
    write_roles = KEEPERS

    def perform_create(self, values: dict[str, Any]) -> ModelPrice:
        """Add the price of a POST."""
        return model_price_create(project_id=self.project_id, values=values, now=timezone.now(), caller=self.caller)

    def perform_update(self, row: ModelPrice, values: dict[str, Any]) -> ModelPrice:
        """Change the price of a PUT or PATCH."""
        return model_price_update(price=row, values=values, now=timezone.now(), caller=self.caller)

    def perform_destroy(self, row: ModelPrice) -> None:
        """Remove the price."""
        model_price_delete(price=row, now=timezone.now(), caller=self.caller)
