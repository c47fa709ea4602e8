"""Which rows a caller may see, and which rows start with a text: shared by every app's querysets."""

from typing import Any, Self

from django.db import models
from django.db.models import Q

from config.shared.callers import Caller

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
