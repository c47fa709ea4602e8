"""Takes the fields of a record as the ledger can hold them; what it cannot hold is kept as found, and reported."""

from collections.abc import Set
from typing import Any

from msgspec import Struct, field

from backups_app.legacy.numbers import seconds_read, tokens_read
from backups_app.legacy.types import Finding, Level, Place, Reading, raw_text

NAME_LENGTH = 255
AS_FOUND = "as_found"


class Taking(Struct, gc=False):
    """One record being taken: its raw keys, the metadata it will have, and what had to be repaired on the way."""

    raw: dict[str, Any]
    metadata: dict[str, Any]
    kind: str
    place: Place
    line: bytes = b""
    repairs: list[tuple[str, str]] = field(default_factory=list)

    def report(self, reading: Reading) -> None:
        """Tell of every repair, each with the record as it was found."""
        raw = raw_text(self.line) if self.line else None
        for code, detail in self.repairs:
            reading.report(Finding(Level.REPAIRED, code, self.place, detail, self.kind, raw))

    def repair(self, key: str, code: str, detail: str) -> None:
        """Keep the raw value of `key` in `metadata.as_found` and report why it was not taken as it stood."""
        found = self.metadata.get(AS_FOUND)
        if type(found) is not dict:
            found = self.metadata[AS_FOUND] = {}
        found[key] = self.raw.get(key)
        self.repairs.append((code, f"{key}: {detail}"))

    def keep_unknown(self, known: Set[str]) -> None:
        """Put every key of the record that is not known into the metadata, where it overwrites nothing."""
        for key in sorted(self.raw.keys() - known):
            self.metadata.setdefault(key, self.raw[key])

    def first_of(self, *keys: str) -> str:
        """The first of several names of one field that the record has; the others go to the metadata."""
        present = [key for key in keys if self.raw.get(key) is not None]
        for key in present[1:]:
            self.metadata.setdefault(key, self.raw[key])
        return present[0] if present else keys[0]

    def name(self, key: str, default: str = "", length: int = NAME_LENGTH) -> str:
        """A short text such as a model's name; absent and null are `default`."""
        value = self.raw.get(key)
        if type(value) is str and len(value) <= length and value:
            return value
        if value is None or value == "":
            return default
        if type(value) is str:
            self.repair(key, "text_too_long", f"longer than {length} characters, cut")
            return value[:length]
        self.repair(key, "not_text", "not a text")
        return default

    def text(self, key: str) -> str:
        """A text of any length; a structure is kept as found and its place is left empty."""
        value = self.raw.get(key)
        if type(value) is str:
            return value
        if value is not None:
            self.repair(key, "not_text", "not a text")
        return ""

    def tokens(self, key: str) -> int | None:
        """A token count, or null. Null stays null without a word."""
        value = self.raw.get(key)
        if type(value) is int and 0 <= value <= 10**6:
            return value
        count = tokens_read(value)
        if count is None and value is not None:
            self.repair(key, "token_count", "not a token count from 0 to 10^12, taken as unknown")
        elif count is not None and type(value) is not int:
            self.repair(key, "token_count", "not written as an integer, read as one")
        return count

    def seconds(self, key: str) -> float | None:
        """A duration in seconds, or null."""
        value = self.raw.get(key)
        if value is None:
            return None
        seconds = seconds_read(value)
        if seconds is None:
            self.repair(key, "duration", "not a number of seconds from 0 to 10^9, taken as unknown")
        elif type(value) is str:
            self.repair(key, "duration", "written as text, read as a number")
        return seconds
