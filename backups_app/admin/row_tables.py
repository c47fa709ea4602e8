"""How many rows tables have, side by side, as a table for people."""

from collections.abc import Mapping
from typing import Any

from django.apps import apps
from django.utils.html import format_html, format_html_join
from django.utils.text import capfirst

from config.shared.admin.numbers import shown_number
from config.shared.admin.shown import EMPTY


def rows_table(columns: Mapping[Any, Mapping[str, int]]) -> str:
    """Return a table with a line for each table that has rows in one of the columns; each is labels with counts."""
    labels = sorted({label for counts in columns.values() for label, number in counts.items() if number}, key=_title)
    if not labels:
        return EMPTY
    head = format_html_join("", '<th scope="col">{}</th>', [[title] for title in columns])
    body = format_html_join(
        "",
        '<tr><th scope="row">{}</th>{}</tr>',
        [(_title(label), _cells(label, list(columns.values()))) for label in labels],
    )
    return format_html(
        '<div class="ledger-table"><table><thead><tr><td></td>{}</tr></thead><tbody>{}</tbody></table></div>',
        head,
        body,
    )


def _cells(label: str, columns: list[Mapping[str, int]]) -> str:
    return format_html_join("", "<td>{}</td>", [[shown_number(counts.get(label, 0))] for counts in columns])


def _title(label: str) -> str:
    """Return how the admin calls the table; its label where this version has no such table."""
    try:
        return str(capfirst(apps.get_model(label)._meta.verbose_name_plural))
    except (LookupError, ValueError):
        return label
