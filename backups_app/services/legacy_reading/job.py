"""What is to be read, and how: the same for a thread and for a process of its own."""

from collections.abc import Callable, Mapping
from datetime import datetime, tzinfo
from pathlib import Path

from msgspec import Struct

from backups_app.legacy.formats import FORMATS, LegacyStore
from backups_app.legacy.locations import Location
from backups_app.legacy.types import Finding, Limits, Reading
from backups_app.legacy.walking import SeveralStores, parts_of

SEVERAL = "several"


class ReadingJob(Struct, frozen=True):
    """A store and its format (or SEVERAL), with what the run's options and the settings say about its reading.

    `now` is the moment of the run, `record_bytes` the limit of a field.
    """

    path: Location
    source_format: str
    zone: tzinfo
    limits: Limits
    statuses: Mapping[str, str]
    now: datetime
    record_bytes: int

    def opened(self, report: Callable[[Finding], None]) -> LegacyStore:
        """Open the store; its findings go to `report`."""
        reading = Reading(report, self.zone, self.limits, self.statuses)
        if self.source_format == SEVERAL and isinstance(self.path, Path):
            return SeveralStores(self.path, parts_of(self.path), reading)
        return FORMATS[self.source_format].open(self.path, reading)
