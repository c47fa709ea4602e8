"""The reconciliation of an import as a table."""

from typing import Any

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from backups_app.models import ImportRun
from config.shared.admin.numbers import shown_number
from config.shared.admin.shown import EMPTY

OUTCOMES = {
    "read": _("read"),
    "new": _("new"),
    "same": _("same"),
    "conflicting": _("conflicting"),
    "rejected": _("rejected"),
    "repaired": _("repaired"),
    "skipped": _("skipped"),
    "replaced": _("replaced"),
    "both": _("both kept"),
    "zoneless": _("times without zone"),
}
# What was read is the sum of the others. Further columns are there when they have something to tell.
BALANCE = ("read", "new", "same", "conflicting", "rejected")


def counts_table(row: ImportRun) -> SafeString | str:
    """Return the reconciliation of a run as a table."""
    return counts_as_table(row.counts)


def counts_as_table(told: dict[str, Any]) -> SafeString | str:
    """Return a reconciliation as a table: a line a kind, a column an outcome."""
    kinds = {kind: counts for kind, counts in told.items() if isinstance(counts, dict)}
    names = dict.fromkeys(name for counts in kinds.values() for name in counts)
    if not names:
        return EMPTY
    columns = [name for name in names if name in BALANCE or any(counts.get(name) for counts in kinds.values())]
    head = format_html_join("", '<th scope="col">{}</th>', [[OUTCOMES.get(name, name)] for name in columns])
    lines = [
        (kind, format_html_join("", "<td>{}</td>", [[shown_number(counts.get(name, 0))] for name in columns]))
        for kind, counts in kinds.items()
    ]
    body = format_html_join("", '<tr><th scope="row">{}</th>{}</tr>', lines)
    return format_html(
        '<div class="ledger-table"><table><thead><tr><td></td>{}</tr></thead><tbody>{}</tbody></table></div>',
        head,
        body,
    )


counts_table.short_description = _("counts")  # type: ignore[attr-defined]
