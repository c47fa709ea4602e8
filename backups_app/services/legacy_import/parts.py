"""Which part of an import takes which kind of item, and in which order the parts write what they hold."""

from collections.abc import Callable
from typing import Any, Protocol

from backups_app.legacy.types import LegacyConfig, LegacyItem, LegacyRecord, LegacySession, LegacyWorkflow
from backups_app.services.legacy_import.items import ImportContext
from backups_app.services.legacy_import.records import RecordImport
from backups_app.services.legacy_import.sessions import SessionImport
from backups_app.services.legacy_import.settings import ConfigImport, WorkflowImport


class Part(Protocol):
    """Takes on items of one kind, and writes them in batches as it likes; `flush` writes what is waiting."""

    def add(self, item: Any, /) -> None:
        """Take one item on: count it as read, and sooner or later settle it."""

    def flush(self) -> None:
        """Write what is waiting."""


# A kind is one line here. What refers to another kind stands below it: before an item is taken on, whatever waits in
# the parts above its own is written.
PARTS: dict[type[Any], Callable[[ImportContext], Part]] = {
    LegacyConfig: ConfigImport,
    LegacyWorkflow: WorkflowImport,
    LegacySession: SessionImport,
    LegacyRecord: RecordImport,
}


class Parts:
    """The parts of one import. Call `flush` after the last item."""

    def __init__(self, context: ImportContext) -> None:
        self._parts = {kind: part(context) for kind, part in PARTS.items()}
        self._kind: type[Any] | None = None

    def add(self, item: LegacyItem) -> None:
        """Hand one item to its part."""
        kind = type(item)
        if kind is not self._kind:
            self._flush_above(kind)
            self._kind = kind
        self._parts[kind].add(item)

    def _flush_above(self, kind: type[Any]) -> None:
        for above, part in self._parts.items():
            if above is kind:
                return
            part.flush()

    def flush(self) -> None:
        """Write what is waiting anywhere."""
        for part in self._parts.values():
            part.flush()
