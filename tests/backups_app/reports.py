"""What a test asks of the report of an import."""

from backups_app.services.legacy_import import ImportReport


def new(report: ImportReport) -> dict[str, int]:
    """Return how many rows of each kind are new."""
    return {kind: counts.new for kind, counts in report.kinds.items() if counts.new}
