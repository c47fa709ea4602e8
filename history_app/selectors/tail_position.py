"""A position in the tail of a session, and the text that stands for it: what `Last-Event-ID` holds."""

import re
from typing import NamedTuple

from history_app.selectors.record_types import RECORD_TYPES

# The lane behind those of the record types.
ARRIVALS = len(RECORD_TYPES)
LANES = ARRIVALS + 1
GREATEST = 2**63 - 1
# The session, and one number a lane.
_NUMBER = "(0|[1-9][0-9]{0,18})"
_TEXT = re.compile("-".join([_NUMBER] * (1 + LANES)))


class Position(NamedTuple):
    """How far the records of one session have been read: in each lane the number of the last one."""

    session: int
    numbers: tuple[int, ...]

    def __str__(self) -> str:
        return "-".join(map(str, (self.session, *self.numbers)))

    def moved(self, lane: int, number: int) -> "Position":
        """Return the position after one more record of a lane."""
        return Position(self.session, (*self.numbers[:lane], number, *self.numbers[lane + 1 :]))

    @classmethod
    def start(cls, session: int) -> "Position":
        """Return the position before everything."""
        return cls(session, (0,) * LANES)

    @classmethod
    def from_text(cls, text: str) -> "Position":
        """Return the position that the text stands for. Raises ValueError for anything else."""
        numbers = [int(part) for part in text.split("-")] if _TEXT.fullmatch(text) else []
        if not numbers or max(numbers) > GREATEST:
            raise ValueError("This is not a position.")
        return cls(numbers[0], tuple(numbers[1:]))
