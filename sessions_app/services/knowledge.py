"""Knowledge sources: added, changed, deleted in a way that can be taken back (document 002)."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import transaction

from config.shared.callers import Caller
from config.shared.errors import Conflict
from config.shared.merging import merge_patch
from config.shared.querysets import row_locked
from sessions_app.models import KnowledgeSource
from sessions_app.services.audit import audit_record, changed_fields

_TOLD = ("source_name", "source_path", "source_type", "status")


@transaction.atomic
def knowledge_source_create(
    *, project_id: int, values: Mapping[str, Any], now: datetime, caller: Caller
) -> KnowledgeSource:
    """Add a source."""
    source = KnowledgeSource.objects.create(project_id=project_id, **{"created_at": now, "updated_at": now, **values})
    _audit(source, "knowledge_source.create", _told(source), caller, now)
    return source


@transaction.atomic
def knowledge_source_update(
    *, source: KnowledgeSource, values: Mapping[str, Any], merge: bool = False, now: datetime, caller: Caller
) -> KnowledgeSource:
    """Change the stated values; with `merge`, the metadata merges (RFC 7396)."""
    current = row_locked(source)
    before = _told(current)
    for name, value in values.items():
        is_merged = merge and name == "metadata"
        setattr(current, name, merge_patch(current.metadata, value) or {} if is_merged else value)
    current.updated_at = now
    current.save(force_update=True)
    _audit(current, "knowledge_source.update", changed_fields(before, _told(current)), caller, now)
    return current


@transaction.atomic
def knowledge_source_delete(*, source: KnowledgeSource, now: datetime, caller: Caller) -> None:
    """Mark a source as deleted; deleting it twice changes nothing."""
    rows = KnowledgeSource.objects.alive().filter(pk=source.pk)
    if rows.update(deleted_at=now, updated_at=now):
        _audit(source, "knowledge_source.delete", _told(source), caller, now)


@transaction.atomic
def knowledge_source_undelete(*, source: KnowledgeSource, now: datetime, caller: Caller) -> KnowledgeSource:
    """Take a deletion back. Raises Conflict when the source is not deleted."""
    deleted = KnowledgeSource.objects.filter(pk=source.pk, deleted_at__isnull=False)
    if not deleted.update(deleted_at=None, updated_at=now):
        raise Conflict("This source is not deleted.")
    _audit(source, "knowledge_source.undelete", _told(source), caller, now)
    source.refresh_from_db()
    return source


def _told(source: KnowledgeSource) -> dict[str, Any]:
    return {name: str(getattr(source, name)) for name in _TOLD}


def _audit(source: KnowledgeSource, action: str, changes: Mapping[str, Any], caller: Caller, now: datetime) -> None:
    audit_record(
        project_id=source.project_id,
        caller=caller,
        action=action,
        target_type="knowledge_source",
        target_id=str(source.pk),
        changes=changes,
        now=now,
    )
