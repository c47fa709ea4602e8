"""Brings in knowledge sources, also deleted ones. Where they point to is data: nothing of it is opened."""

from typing import Any

from django.db.models import QuerySet

from backups_app.legacy.times import EPOCH, times_assumed
from backups_app.legacy.types import LegacyKnowledge
from backups_app.services.legacy_import.conflicts import OnConflict, kept_beside_finding, replaced_finding
from backups_app.services.legacy_import.items import ImportContext
from sessions_app.models import KnowledgeSource
from sessions_app.services.knowledge import knowledge_source_create, knowledge_source_update

KIND = "knowledge_source"
IDENTITY = ("source_name", "source_path", "source_type", "created_at")


class KnowledgeImport:
    """Brings each source in by itself; what is stored stays, unless something else was chosen for conflicts.

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
        context, values, solved = self._context, self._values(source), ""
        stored = self._stored(source, values)
        if stored is None:
            self._create(source, values)
            result = "new"
        elif _says(stored, values):
            result = "same"
        else:
            result, solved = self._conflict(source, values, stored)
        context.settle(KIND, result, repaired=source.repaired, solved=solved)

    def _create(self, source: LegacyKnowledge, values: dict[str, Any]) -> KnowledgeSource:
        context = self._context
        made = knowledge_source_create(
            project_id=context.project_id, values=values, now=context.now, caller=context.caller
        )
        context.brought(KIND, str(made.pk), source.place, zoneless=_zoneless(source))
        return made

    def _conflict(self, source: LegacyKnowledge, values: dict[str, Any], stored: KnowledgeSource) -> tuple[str, str]:
        context = self._context
        if context.on_conflict == OnConflict.REPLACE:
            before = {name: getattr(stored, name) for name in values}
            context.log.add_note(replaced_finding(KIND, source, source.source_name, before))
            knowledge_source_update(source=stored, values=values, now=context.now, caller=context.caller)
            context.brought(f"replaced_{KIND}", str(stored.pk), source.place, zoneless=_zoneless(source))
            return "conflicting", "replaced"
        if context.on_conflict == OnConflict.BOTH:
            # A source has no id of its own: beside another one it is known by what it says.
            if any(_says(alike, values) for alike in self._alike(values)):
                return "same", ""
            made = self._create(source, values)
            context.log.add_note(kept_beside_finding(KIND, source, str(made.pk)))
            return "conflicting", "both"
        detail = f"the source {source.source_name!r:.300} is stored otherwise, and stays so"
        context.contradict(KIND, source.place, detail, values)
        return "conflicting", ""

    def _alike(self, values: dict[str, Any]) -> QuerySet[KnowledgeSource]:
        alike = {name: values[name] for name in IDENTITY}
        return KnowledgeSource.objects.filter(project_id=self._context.project_id, **alike).order_by("pk")

    def _stored(self, source: LegacyKnowledge, values: dict[str, Any]) -> KnowledgeSource | None:
        rows = self._alike(values)[source.alike_before : source.alike_before + 1]
        found: KnowledgeSource | None = next(iter(rows), None)
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


def _says(stored: KnowledgeSource, values: dict[str, Any]) -> bool:
    """Whether the source is stored so; when it was changed says nothing."""
    return all(getattr(stored, name) == value for name, value in values.items() if name != "updated_at")
