"""Jobs as the API shows them."""

from config.shared.api.serializers import LedgerSerializer
from sessions_app.models import Job


class JobSerializer(LedgerSerializer):
    """One job: what is to be done, how far it is, and what became of it. Nothing of it is written through the API."""

    class Meta:
        model = Job
        fields = (
            "id",
            "kind",
            "state",
            "arguments",
            "slot",
            "attempts",
            "max_attempts",
            "due_at",
            "progress_done",
            "progress_total",
            "progress_text",
            "cancel_requested",
            "result",
            "error",
            "asked_by",
            "created_at",
            "started_at",
            "finished_at",
        )
        read_only_fields = fields
