"""What the API shows of a project's own prices."""

from analytics_app.models import ModelPrice
from config.shared.api.serializers import LedgerSerializer


class ModelPriceSerializer(LedgerSerializer):
    """What a model costs from one moment on, in USD per million tokens."""

    class Meta:
        model = ModelPrice
        fields = (
            "id",
            "provider",
            "model",
            "valid_from",
            "input_mtok",
            "output_mtok",
            "cache_read_mtok",
            "cache_write_mtok",
            "note",
            "created_at",
            "updated_at",
        )
        read_only_fields = ("id", "created_at", "updated_at")
        extra_kwargs = {
            name: {"min_value": 0} for name in ("input_mtok", "output_mtok", "cache_read_mtok", "cache_write_mtok")
        }
