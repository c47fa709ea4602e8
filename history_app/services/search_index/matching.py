"""The exact comparison, and what of a text is shown around the match."""

from dataclasses import dataclass

CONTEXT_CHARACTERS = 80


@dataclass(frozen=True)
class Snippet:
    """A piece of a text; `start` and `end` are the offsets of the match in it, in characters."""

    text: str
    start: int
    end: int


def snippet_of(text: str, needle: str) -> Snippet | None:
    """Return the piece of the text around the first place where its lowered form holds the lowered needle, or None."""
    lowered = text.lower()
    place = lowered.find(needle)
    if place < 0:
        return None
    start, end = place, place + len(needle)
    if len(lowered) != len(text):
        start, end = _in_original(text, start, end)
    begin = max(0, start - CONTEXT_CHARACTERS)
    return Snippet(text[begin : end + CONTEXT_CHARACTERS], start - begin, end - begin)


def _in_original(text: str, start: int, end: int) -> tuple[int, int]:
    """Return where a stretch of the lowered text stands in the text: some letters become two when lowered."""
    lowered = 0
    first = len(text)
    for place, character in enumerate(text):
        if lowered >= end:
            return first, place
        lowered += len(character.lower())
        if lowered > start:
            first = min(first, place)
    return first, len(text)
