"""What the API shows of import runs."""

from backups_app.models import ImportFinding, ImportRun
from config.shared.api.serializers import LedgerSerializer


class ImportRunSerializer(LedgerSerializer):
    """One run of an import with its reconciliation."""

    class Meta:
        model = ImportRun
        fields = (
            "id",
            "source",
            "source_format",
            "options",
            "status",
            "counts",
            "sums",
            "failure",
            "started_at",
            "finished_at",
        )
        read_only_fields = fields


class ImportFindingSerializer(LedgerSerializer):
    """One thing that an import could not take over as it stood. `raw` is what stood there."""

    class Meta:
        model = ImportFinding
        fields = ("id", "level", "kind", "code", "path", "line", "table", "key", "detail", "raw")
        read_only_fields = fields
        masked_fields = ("key", "detail", "raw")
