"""Large documents in lists: their beginnings, read without the rest."""

from collections.abc import Sequence
from typing import Any

from django.db.models import QuerySet, TextField
from django.db.models.functions import Substr

# How many characters of a large document a list shows; the detail shows all of it.
BEGINNING_CHARACTERS = 2000


def with_beginnings(rows: QuerySet[Any], columns: Sequence[str]) -> QuerySet[Any]:
    """Return rows whose large JSON columns stay in the database, all but their first characters.

    Each column's beginning is `<column>_beginning`: one character longer than what is shown where there is more.
    """
    beginnings = {
        f"{column}_beginning": Substr(column, 1, BEGINNING_CHARACTERS + 1, output_field=TextField())
        for column in columns
    }
    found: QuerySet[Any] = rows.defer(*columns).annotate(**beginnings)
    return found
