"""The bulk writer: every record of the API, the import and a restore is stored through `records_write`."""

from history_app.services.ingest.results import BatchRefused, Outcome, OutcomeKind, WriteResult
from history_app.services.ingest.writer import batch_write, records_write

__all__ = ["BatchRefused", "Outcome", "OutcomeKind", "WriteResult", "batch_write", "records_write"]
