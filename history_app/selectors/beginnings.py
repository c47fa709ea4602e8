"""Large documents in lists: their beginnings, read without the rest."""

import json
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


def is_cut(text: str | None) -> bool:
    """Return whether there is more of a text than a list shows."""
    return text is not None and len(text) > BEGINNING_CHARACTERS


def opening(text: str) -> str:
    """Return the first characters of a JSON text, to be shown as text."""
    shown = text[:BEGINNING_CHARACTERS]
    if not shown.startswith('"'):
        return shown
    # A document that is one text is shown as text; an escape that was cut in two is left out.
    whole, backslash, rest = shown.rpartition("\\")
    cut_escape = backslash and (not rest or (rest.startswith("u") and len(rest) < len("u0000")))
    for candidate in (shown, whole if cut_escape else shown, whole.rstrip("\\")):
        try:
            return str(json.loads(candidate + '"'))
        except ValueError:
            continue
    return shown
