"""Texts as agents write them, for the search: words as unequal as in a language, numbers, ids, and some Chinese."""

import itertools
import random
from collections.abc import Iterator

FREQUENT = [
    "the",
    "of",
    "and",
    "to",
    "a",
    "in",
    "is",
    "for",
    "that",
    "on",
    "with",
    "as",
    "it",
    "by",
    "from",
    "be",
    "this",
    "or",
    "are",
    "at",
    "an",
    "was",
    "order",
    "not",
    "can",
    "refund",
    "status",
    "we",
    "has",
    "customer",
    "if",
    "your",
    "agent",
    "will",
    "have",
    "error",
    "which",
    "check",
    "tool",
    "call",
    "result",
    "answer",
    "no",
    "file",
    "please",
    "user",
    "when",
    "message",
    "all",
    "email",
    "line",
    "after",
    "test",
    "model",
    "request",
    "function",
    "return",
    "data",
    "value",
    "but",
    "before",
    "search",
    "server",
    "they",
    "policy",
    "index",
    "there",
    "table",
    "retry",
    "timeout",
    "account",
    "then",
    "payment",
    "shipping",
    "address",
    "used",
    "item",
    "review",
    "page",
    "last",
    "approved",
    "invoice",
    "code",
    "into",
]
SYLLABLES = [
    "ba",
    "be",
    "bra",
    "ca",
    "ce",
    "cho",
    "cla",
    "co",
    "cre",
    "da",
    "de",
    "di",
    "do",
    "el",
    "en",
    "er",
    "fa",
    "fi",
    "flo",
    "ga",
    "ge",
    "gra",
    "ha",
    "hi",
    "ho",
    "in",
    "is",
    "ka",
    "ki",
    "la",
    "le",
    "li",
    "lo",
    "ma",
    "me",
    "mi",
    "mo",
    "na",
    "ne",
    "ni",
    "no",
    "nu",
    "or",
    "pa",
    "pe",
    "pla",
    "po",
    "pre",
    "qua",
    "ra",
    "re",
    "ri",
    "ro",
    "sa",
    "se",
    "shi",
    "so",
    "sta",
    "ta",
    "te",
    "ti",
    "to",
    "tra",
    "un",
    "va",
    "ve",
    "vi",
]
# What a search looks for, each said in so many of a million messages.
RARE, SCARCE = "zephyrine", "quokkabyte"
RARE_EACH, SCARCE_EACH = 1_000, 50_000
CHINESE_RARE, CHINESE_EACH = "退款", 500
VOCABULARY = 30_000
WORDS_EACH = 82
CHINESE_SHARE = 0.1


def texts(count: int, seed: int = 1) -> Iterator[str]:
    """Yield so many texts of about 500 characters; every tenth is Chinese."""
    picker = random.Random(seed)
    words = FREQUENT + sorted({_word(picker) for _ in range(VOCABULARY)})
    picker_weights = list(itertools.accumulate(1 / (rank + 3) for rank in range(len(words))))
    pairs = [chr(picker.randrange(0x4E00, 0x5E00)) + chr(picker.randrange(0x4E00, 0x5E00)) for _ in range(8_000)]
    pair_weights = list(itertools.accumulate(1 / (rank + 10) for rank in range(len(pairs))))
    for number in range(count):
        if picker.random() < CHINESE_SHARE:
            said = picker.choices(pairs, cum_weights=pair_weights, k=150)
            said[::12] = ["，"] * len(said[::12])
            said[7::30] = [f" {word} " for word in picker.choices(words, k=len(said[7::30]))]
            between = ""
        else:
            said = picker.choices(words, cum_weights=picker_weights, k=WORDS_EACH)
            said[9::17] = [word.capitalize() + "." for word in said[9::17]]
            between = " "
        said[3] = f"ORD-{picker.randrange(10**7)}"
        said += [word for word, each in _planted() if number % each == each // 2]
        yield between.join(said)


def _planted() -> tuple[tuple[str, int], ...]:
    return ((RARE, RARE_EACH), (SCARCE, SCARCE_EACH), (CHINESE_RARE, CHINESE_EACH))


def _word(picker: random.Random) -> str:
    return "".join(picker.choices(SYLLABLES, k=picker.choice((1, 2, 2, 3, 3, 4))))
