"""A growing set whose latest part can be dropped: what a transaction that failed had added never was."""

from collections.abc import Iterable, Iterator
from typing import Generic, TypeVar

Member = TypeVar("Member")


class LayeredSet(Generic[Member]):
    """A set in two layers: what is settled, shared by all forks, and what this fork has added since."""

    def __init__(self, settled: "set[Member] | None" = None) -> None:
        self._settled = set() if settled is None else settled
        self._fresh: set[Member] = set()

    def __contains__(self, member: object) -> bool:
        return member in self._settled or member in self._fresh

    def add(self, member: Member) -> None:
        """Add one member to this fork."""
        self._fresh.add(member)

    def update(self, members: Iterable[Member]) -> None:
        """Add members to this fork."""
        self._fresh.update(members)

    def forked(self) -> "LayeredSet[Member]":
        """Another set with the settled members, whose additions are its own."""
        return LayeredSet(self._settled)

    def settle(self) -> None:
        """Make what this fork added common to all."""
        self._settled |= self._fresh
        self._fresh = set()

    def fresh(self) -> Iterator[Member]:
        """What this fork has added."""
        return iter(self._fresh)
