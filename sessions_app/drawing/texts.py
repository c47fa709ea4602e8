"""How wide a text is on the picture, where no font can be asked, and how it is cut to fit."""

import unicodedata

_NARROW = frozenset("iIjl.,:;'|!()[]{}ft ")
_WIDE = frozenset("mwMW@%")


def width_of(text: str) -> float:
    """Return about how many ems a text takes: Chinese characters are twice as wide as most Latin ones."""
    return sum(_width_of_one(character) for character in text)


def _width_of_one(character: str) -> float:
    if unicodedata.combining(character) or unicodedata.category(character) in ("Cf", "Mn", "Me"):
        return 0.0
    if unicodedata.east_asian_width(character) in ("W", "F"):
        return 1.0
    if character in _NARROW:
        return 0.34
    return 0.9 if character in _WIDE else 0.58


def cut(text: str, ems: float) -> str:
    """Return the text on one line, with an ellipsis in the end where it is wider than so many ems."""
    line = " ".join(text.split())
    if width_of(line) <= ems:
        return line
    room, kept = ems - 1.0, []
    for character in line:
        room -= _width_of_one(character)
        if room < 0:
            break
        kept.append(character)
    return "".join(kept).rstrip() + "…"
