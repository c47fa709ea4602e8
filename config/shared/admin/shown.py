"""How values are shown where they cannot be edited: JSON readable, long text folded, contents masked."""

import json
from typing import Any

from django.db.models import Field, Model
from django.urls import NoReverseMatch, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

MASK = "********"
EMPTY = "-"
FOLDED_FROM_CHARACTERS = 1_500
FOLDED_FROM_LINES = 24
SUMMARY_CHARACTERS = 120
BEGINNING_CHARACTERS = 60


class Shown:
    """A read-only field of a form that knows how to show its kind of value; the admin calls it with the row."""

    def __init__(self, field: Field) -> None:
        self.field = field
        self.__name__ = field.name
        self.short_description = field.verbose_name

    def __call__(self, row: Model) -> SafeString | str:
        """Return the value of the row's field for the page."""
        if is_masked(row, self.field.name):
            return MASK
        if self.field.remote_field is not None:
            return shown_relation(row, self.field)
        value = self.field.value_from_object(row)
        if value in (None, "", {}, []):
            return EMPTY
        return shown_text(value) if isinstance(value, str) else shown_json(value)


def mask_row(row: Model, fields: tuple[str, ...]) -> None:
    """Replace what the fields hold by a mask, in memory only; what is empty stays empty.

    A field that was not read is masked as well, so that nothing reads it later. `fields` may name annotations of lists.
    """
    row._masked_fields = fields
    unread = row.get_deferred_fields()
    for name in fields:
        if name in unread or row.__dict__.get(name) not in (None, "", {}, []):
            setattr(row, name, MASK)


def is_masked(row: Model, name: str) -> bool:
    """Return whether this field of the row was masked."""
    return name in getattr(row, "_masked_fields", ()) and getattr(row, name) == MASK


def pretty_json(value: Any) -> str:
    """Return JSON text for people: indented, other scripts kept as they are."""
    return json.dumps(value, indent=2, ensure_ascii=False)


def shown_beginning(value: Any) -> str:
    """Return the first characters of a JSON value for lists: text as it is, everything else as JSON."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= BEGINNING_CHARACTERS else f"{text[:BEGINNING_CHARACTERS]}…"


def shown_json(value: Any) -> SafeString:
    """Return a JSON value as readable text, folded when it is long."""
    return folded(pretty_json(value), "ledger-json")


def shown_text(text: str) -> SafeString:
    """Return text with its lines kept, folded when it is long."""
    return folded(text, "ledger-text")


def folded(text: str, style: str) -> SafeString:
    """Return the text in a block of its own; behind a summary when it is long."""
    block = format_html('<pre class="{}" dir="auto">{}</pre>', style, text)
    if len(text) < FOLDED_FROM_CHARACTERS and text.count("\n") < FOLDED_FROM_LINES:
        return block
    beginning = " ".join(text[: 2 * SUMMARY_CHARACTERS].split())[:SUMMARY_CHARACTERS]
    return format_html(
        '<details class="ledger-fold"><summary><span class="ledger-fold-text" dir="auto">{}…</span> '
        '<span class="ledger-note">{}</span></summary>{}</details>',
        beginning,
        _("show all %(count)s characters") % {"count": f"{len(text):,}"},
        block,
    )


def shown_relation(row: Model, field: Field) -> SafeString | str:
    """Return a link to the row that a foreign key points to; by its number when its name may hold masked contents."""
    related = getattr(row, field.name)
    if related is None:
        return EMPTY
    text = f"#{related.pk}" if getattr(row, "_masked_fields", ()) else str(related)
    options = related._meta
    try:
        link = reverse(f"admin:{options.app_label}_{options.model_name}_change", args=[related.pk])
    except NoReverseMatch:
        return text
    return format_html('<a href="{}" class="text-link" dir="auto">{}</a>', link, text)
