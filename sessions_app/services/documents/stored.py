"""What a backend keeps and can do: rules about versions, merging and time stand above it, once for all backends."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

Place = tuple[str, str]


@dataclass(frozen=True, slots=True)
class StoredDocument:
    """One document as it is kept, on whatever backend."""

    namespace: str
    key: str
    value: Any
    expires_at: datetime | None
    created_at: datetime
    updated_at: datetime
    version: int

    def is_alive(self, now: datetime) -> bool:
        """Return whether its time has not run out."""
        return self.expires_at is None or self.expires_at > now

    def told(self) -> dict[str, Any]:
        """Return the document as plain JSON."""
        return {
            "namespace": self.namespace,
            "key": self.key,
            "value": self.value,
            "expires_at": self.expires_at.isoformat() if self.expires_at else None,
            "created_at": self.created_at.isoformat(),
            "updated_at": self.updated_at.isoformat(),
            "version": self.version,
        }

    @classmethod
    def read(cls, told: Mapping[str, Any]) -> "StoredDocument":
        """Return the document that `told` returned as JSON."""
        moments = {name: told[name] and datetime.fromisoformat(told[name]) for name in _MOMENTS}
        return cls(**{**told, **moments})


_MOMENTS = ("expires_at", "created_at", "updated_at")
Found = dict[Place, StoredDocument | None]
Decide = Callable[[Found], Found]


class DocumentBackend(Protocol):
    """Where documents of some namespaces are. `documents` of a project never mix with those of another."""

    def find(self, project_id: int, place: Place) -> StoredDocument | None:
        """Return the document of a place, one whose time has run out included."""

    def change(self, project_id: int, places: list[Place], decide: Decide) -> None:
        """Show `decide` what is at the places, and make it what it returns (None removes): all of it or nothing.

        Nobody else changes these places in between; `decide` may be called again where somebody did. Raises Conflict
        when others stand in the way for too long, Unavailable when the store is away.
        """

    def page(
        self, project_id: int, namespace: str, prefix: str, *, after: str, limit: int, now: datetime
    ) -> list[StoredDocument]:
        """Return at most `limit` living documents by key, of those that begin with `prefix`, behind the key `after`."""

    def count(self, project_id: int, namespace: str, prefix: str, now: datetime) -> int:
        """Return how many living documents begin with `prefix`."""

    def prune(self, now: datetime, limit: int) -> int:
        """Remove at most `limit` documents whose time has run out, and return how many."""
