"""What every app asks of rows: which a caller may see, the lock of one of them, which start with a text."""

from typing import Any, Self, TypeVar

from django.db import models
from django.db.models import Q

from config.shared.callers import Caller
from config.shared.errors import NotFound

Row = TypeVar("Row", bound=models.Model)

_AFTER_EVERY_TEXT = "\U0010ffff"


class ProjectQuerySet(models.QuerySet[Any]):
    """Rows that belong to one project each, by their `project` column."""

    def visible_to(self, caller: Caller) -> Self:
        """Return the rows of the caller's projects."""
        return self if caller.project_ids is None else self.filter(project_id__in=caller.project_ids)


def starts_with(field: str, prefix: str) -> Q:
    """Return the condition that an IdField starts with a text, in a form that a plain index serves on every database.

    LIKE would not do: SQLite's ignores case and never uses a binary index.
    """
    return Q(**{f"{field}__gte": prefix, f"{field}__lt": prefix + _AFTER_EVERY_TEXT})


def row_locked(row: Row) -> Row:
    """Return the row as it is now, held until the transaction ends. Raises NotFound when it was deleted meanwhile."""
    stored: Row | None = type(row)._default_manager.select_for_update().filter(pk=row.pk).first()
    if stored is None:
        raise NotFound
    return stored
