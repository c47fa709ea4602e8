"""Which part of an import takes which kind of item, and in which order the parts write what they hold."""

from collections.abc import Callable
from typing import Any, Protocol

from backups_app.legacy.types import (
    LegacyConfig,
    LegacyKnowledge,
    LegacySession,
    LegacyUser,
    LegacyWorkflow,
)
from backups_app.services.legacy_import.items import ImportContext
from backups_app.services.legacy_import.knowledge import KnowledgeImport
from backups_app.services.legacy_import.records import RecordImport
from backups_app.services.legacy_import.sessions import SessionImport
from backups_app.services.legacy_import.settings import ConfigImport, WorkflowImport
from backups_app.services.legacy_import.users import UserImport
from backups_app.services.legacy_reading.entries import ReadRecord


class Part(Protocol):
    """Takes on the items of one kind in one batch, and writes them when it is told to.

    It is made anew for every batch, and again where a batch is repeated: what has to outlive one is in the context.
    """

    def add(self, item: Any, /) -> None:
        """Take one item on and count it as read; nothing is written yet."""

    def flush(self) -> None:
        """Write what was taken on, settle each item, and tell the context of each row that was brought in."""


# A kind is one line here. In every batch the parts write in this order: what refers to another kind stands below it.
PARTS: dict[type[Any], Callable[[ImportContext], Part]] = {
    LegacyConfig: ConfigImport,
    LegacyWorkflow: WorkflowImport,
    LegacyUser: UserImport,
    LegacyKnowledge: KnowledgeImport,
    LegacySession: SessionImport,
    ReadRecord: RecordImport,
}


class Parts:
    """The parts at work on one batch. Call `flush` after its last item, within its transaction."""

    def __init__(self, context: ImportContext) -> None:
        self._parts = {kind: part(context) for kind, part in PARTS.items()}

    def add(self, item: Any) -> None:
        """Hand one item to its part."""
        self._parts[type(item)].add(item)

    def flush(self) -> None:
        """Write what was taken on."""
        for part in self._parts.values():
            part.flush()
