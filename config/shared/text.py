"""Text and JSON made storable: what one of the three databases refuses is replaced the same way for all."""

import math
import re
from dataclasses import dataclass
from typing import Any

REPLACEMENT = "\ufffd"
MAX_JSON_DEPTH = 64
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


class TooDeep(ValueError):
    """A JSON value is nested deeper than MAX_JSON_DEPTH."""


@dataclass(slots=True)
class Replaced:
    """How many values were replaced while cleaning: characters that cannot be stored, numbers that are not finite."""

    characters: int = 0
    numbers: int = 0

    def __bool__(self) -> bool:
        return bool(self.characters or self.numbers)


def clean_text(text: str, replaced: Replaced) -> str:
    """Return the text with NUL and lone surrogates as U+FFFD (PostgreSQL cannot store them), counting each."""
    if text.isascii() and "\x00" not in text:
        return text
    cleaned, count = _UNSTORABLE.subn(REPLACEMENT, text)
    replaced.characters += count
    return cleaned


def clean_json(value: Any, replaced: Replaced, depth: int = MAX_JSON_DEPTH) -> Any:
    """Return a JSON value with every text cleaned and NaN and Infinity as null, counting each.

    Raises TooDeep when the value is nested deeper than `depth` levels.
    """
    if isinstance(value, str):
        return clean_text(value, replaced)
    if isinstance(value, float) and not math.isfinite(value):
        replaced.numbers += 1
        return None
    if isinstance(value, (dict, list)):
        if depth <= 0:
            raise TooDeep(f"nested deeper than {MAX_JSON_DEPTH} levels")
        if isinstance(value, list):
            return [clean_json(item, replaced, depth - 1) for item in value]
        return {clean_text(str(key), replaced): clean_json(item, replaced, depth - 1) for key, item in value.items()}
    return value
