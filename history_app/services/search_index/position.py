"""The order of what a search finds, newest first, and a place in it."""

from dataclasses import dataclass
from datetime import datetime

RECORD_TYPES = ("message", "tool_call")


@dataclass(frozen=True)
class Position:
    """A place behind the record with this time, type and id: the next page begins after it."""

    timestamp: datetime
    record_type: str
    pk: int

    def is_before(self, timestamp: datetime, record_type: str, pk: int) -> bool:
        """Return whether a record comes after this place, newest first."""
        mine = (self.timestamp, RECORD_TYPES.index(self.record_type), self.pk)
        return (timestamp, RECORD_TYPES.index(record_type), pk) < mine
