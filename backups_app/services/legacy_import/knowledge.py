"""Brings in knowledge sources, also deleted ones. Where they point to is data: nothing of it is opened."""

from typing import Any

from backups_app.legacy.times import EPOCH, times_assumed
from backups_app.legacy.types import LegacyKnowledge
from backups_app.services.legacy_import.items import ImportContext
from sessions_app.models import KnowledgeSource
from sessions_app.services.knowledge import knowledge_source_create

KIND = "knowledge_source"
IDENTITY = ("source_name", "source_path", "source_type", "created_at")


class KnowledgeImport:
    """Brings each source in by itself; what is stored stays.

    A source has no id that could come along: it is known by its name, path, type and time of creation, and of several
    alike the first is the first that is stored.
    """

    def __init__(self, context: ImportContext) -> None:
        self._context = context
        self._waiting: list[LegacyKnowledge] = []

    def add(self, source: LegacyKnowledge) -> None:
        """Take one source on."""
        counts = self._context.report.kinds[KIND]
        counts.read += 1
        counts.zoneless += _zoneless(source)
        self._waiting.append(source)

    def flush(self) -> None:
        """Bring in what is waiting."""
        for source in self._waiting:
            self._bring(source)
        self._waiting.clear()

    def _bring(self, source: LegacyKnowledge) -> None:
        context, values = self._context, self._values(source)
        stored = self._stored(source, values)
        if stored is None:
            made = knowledge_source_create(
                project_id=context.project_id, values=values, now=context.now, caller=context.caller
            )
            context.brought(KIND, str(made.pk), source.place, zoneless=_zoneless(source))
            result = "new"
        elif all(getattr(stored, name) == value for name, value in values.items() if name != "updated_at"):
            result = "same"
        else:
            result = "conflicting"
            detail = f"the source {source.source_name!r:.300} is stored otherwise, and stays so"
            context.contradict(KIND, source.place, detail, values)
        context.settle(KIND, result, repaired=source.repaired)

    def _stored(self, source: LegacyKnowledge, values: dict[str, Any]) -> KnowledgeSource | None:
        alike = {name: values[name] for name in IDENTITY}
        rows = KnowledgeSource.objects.filter(project_id=self._context.project_id, **alike).order_by("pk")
        found: KnowledgeSource | None = next(iter(rows[source.alike_before : source.alike_before + 1]), None)
        return found

    def _values(self, source: LegacyKnowledge) -> dict[str, Any]:
        """The columns. A source without any time begins in 1970: never now, or it would be another one next time."""
        created = source.created_at or source.updated_at or EPOCH
        return {
            "source_name": source.source_name,
            "source_path": source.source_path,
            "source_type": source.source_type,
            "status": source.status,
            "metadata": source.metadata,
            "created_at": created,
            "updated_at": source.updated_at or created,
            "deleted_at": source.deleted_at,
        }


def _zoneless(source: LegacyKnowledge) -> int:
    return times_assumed(source.created_at, source.updated_at, source.deleted_at)
