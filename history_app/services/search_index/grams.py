"""Grams: the short pieces by which a text is found, cut the same way from records and from queries.

The rule behind all of it: whenever a lowered query stands in a lowered text, every gram of the query is a gram of the
text. The index may name too many records, never too few; the exact comparison comes after it.

A gram of two or three characters lies within one word, where a space stands for whatever comes before and after the
word, or within one row of marks such as `=>`. Scripts of many characters (CJK, Hangul, emoji: from U+2E80 on) are cut
into pairs. Every single character is a gram, too.
"""

import re
from itertools import pairwise

EDGE = " "
# Words and rows of marks: a text is cut into these, and each of them into grams once, however often it comes.
PIECE = re.compile(r"[^\W\u2e80-\U0010ffff]+|[^\w\s\u2e80-\U0010ffff]+")
DENSE = re.compile(r"[\u2e80-\U0010ffff]+")
GRAMS_PER_QUERY = 12
# English letters and the edge of words, the frequent ones first: what is not here is rare.
_FREQUENT = " etaoinshrdlcumwfgypbvkjxqz"
_RANK = {letter: rank for rank, letter in enumerate(_FREQUENT)}


def piece_grams(piece: str) -> set[str]:
    """Return the grams of two and three characters of one word or row of marks, lowered."""
    padded = f"{EDGE}{piece}{EDGE}" if _is_word(piece) else piece
    grams = {padded[i : i + 3] for i in range(len(padded) - 2)}
    grams.update(map("".join, pairwise(padded)))
    return grams


def _is_word(piece: str) -> bool:
    return piece[0] == "_" or piece[0].isalnum()


def dense_grams(text: str) -> set[tuple[str, str]]:
    """Return the pairs of characters in the dense stretches of a lowered text."""
    pairs: set[tuple[str, str]] = set()
    for stretch in DENSE.findall(text):
        pairs.update(pairwise(stretch))
    return pairs


def query_grams(needle: str) -> list[str]:
    """Return the grams, the most telling first, that every text with this lowered needle has. Never empty."""
    grams = {gram for piece in PIECE.finditer(needle) for gram in _grams_of_piece(piece, needle)}
    grams.update("".join(pair) for pair in dense_grams(needle))
    grams.update(stretch for stretch in DENSE.findall(needle) if len(stretch) == 1)
    telling = grams or set(needle)
    return sorted(telling, key=lambda gram: (-_rarity(gram), gram))[:GRAMS_PER_QUERY]


def _grams_of_piece(piece: re.Match[str], needle: str) -> set[str]:
    """Return the grams of one piece of the needle; at the needle's ends a word may go on in the text."""
    text = piece.group()
    if _is_word(text):
        left = EDGE if piece.start() > 0 else ""
        right = EDGE if piece.end() < len(needle) else ""
        text = f"{left}{text}{right}"
    size = min(3, len(text))
    return {text[i : i + size] for i in range(len(text) - size + 1)}


def _rarity(gram: str) -> int:
    """Return a guess at how rare a gram is; longer ones are rarer, and so is what is not English."""
    return sum(_RANK.get(letter, len(_FREQUENT) * 2) + len(_FREQUENT) for letter in gram)
