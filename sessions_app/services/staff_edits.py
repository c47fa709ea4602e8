"""Writes of staff to tables that have no rules of their own beyond their constraints, each with its audit entry."""

import re
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.db import models, transaction
from django.db.models import Model

from config.shared.callers import Caller
from config.shared.versions import version_check
from sessions_app.models import Project
from sessions_app.models.accounts import DEFAULT_PROJECT
from sessions_app.services.audit import audit_record

SHOWN_CHARACTERS = 100
WORDS_OF_A_NAME = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
# Never in the audit, not even shortened: a password's hash, sealed secrets, and what a login attempt sent.
SECRET_FIELDS = frozenset({"password", "sealed", "key_hash", "sealed_secrets", "get_data", "post_data"})


@transaction.atomic
def row_create(*, row: Model, caller: Caller, now: datetime, project_id: int | None = None) -> Model:
    """Store a new row and say so in the audit of its project (the default one where the row belongs to none)."""
    row.save(force_insert=True)
    row_audit(row=row, verb="create", changes={}, caller=caller, now=now, project_id=project_id)
    return row


@transaction.atomic
def row_update(
    *, row: Model, changed: list[str], caller: Caller, now: datetime, project_id: int | None = None
) -> Model:
    """Store the named fields of a row, with their values before and after in the audit; contents are only named.

    Many-to-many fields are the caller's to store; they are named in the audit like contents. Raises StaleVersion when
    a versioned row has moved on since it was read.
    """
    columns = [name for name in changed if not row._meta.get_field(name).many_to_many]
    before = type(row)._base_manager.select_for_update().get(pk=row.pk)
    if changed:
        if columns:
            row.save(update_fields=[*columns, *_stamped(row, before, now)])
        changes = changes_told(before, row, changed)
        row_audit(row=row, verb="update", changes=changes, caller=caller, now=now, project_id=project_id)
    return row


@transaction.atomic
def row_delete(*, row: Model, caller: Caller, now: datetime, project_id: int | None = None) -> None:
    """Delete a row, with what hangs on it."""
    row_audit(row=row, verb="delete", changes={}, caller=caller, now=now, project_id=project_id)
    row.delete()


def row_audit(
    *,
    row: Model,
    verb: str,
    changes: dict[str, Any],
    caller: Caller,
    now: datetime,
    project_id: int | None = None,
) -> None:
    """Write the audit entry of one row, whose `verb` is create, update or delete.

    What belongs to no project, such as a group, is told in the default project's chain.
    """
    kind = WORDS_OF_A_NAME.sub("_", type(row).__name__).lower()
    audit_record(
        project_id=project_id or getattr(row, "project_id", None) or _default_project_id(),
        caller=caller,
        action=f"{kind}.{verb}",
        target_type=kind,
        target_id=str(row.pk),
        changes=changes,
        now=now,
    )


def _stamped(row: Any, before: Any, now: datetime) -> list[str]:
    """Set the row's own time of change and its next version, where it has them, and return their names."""
    stamped = []
    for field in row._meta.concrete_fields:
        if field.name == "updated_at":
            row.updated_at = now
            stamped.append(field.name)
        elif field.name == "version" and isinstance(field, models.PositiveIntegerField) and field.has_default():
            version_check(current=before.version, expected=row.version)
            row.version += 1
            stamped.append(field.name)
    return stamped


def changes_told(before: Model, after: Model, names: Iterable[str]) -> dict[str, Any]:
    """Return what the audit may know of changes: short values before and after, of contents only that they changed."""
    return {name: _difference(before, after, name) for name in names}


def _difference(before: Model, after: Model, name: str) -> Any:
    field = after._meta.get_field(name)
    if name in SECRET_FIELDS or field.many_to_many or isinstance(field, models.TextField):
        return "changed"
    return [_short(before, name), _short(after, name)]


def _short(row: Model, name: str) -> str | None:
    value = row.serializable_value(name)
    return None if value is None else str(value)[:SHOWN_CHARACTERS]


def _default_project_id() -> int:
    return Project.objects.values_list("pk", flat=True).get(slug=DEFAULT_PROJECT)
