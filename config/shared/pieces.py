"""Cutting what may be long into pieces that a statement takes."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeVar

Value = TypeVar("Value")


def in_pieces(values: Iterable[Value], size: int) -> Iterator[list[Value]]:
    """Yield the values in their order, in lists of `size` of them; the last one may be shorter."""
    remaining = iter(values)
    while piece := list(islice(remaining, size)):
        yield piece
