"""Admin of import runs, with their reconciliation, and of what they found."""

from typing import Any

from django.contrib import admin
from django.utils import timezone
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from backups_app.admin.bring_in import BringsInStores
from backups_app.admin.counts import counts_table
from backups_app.admin.doctor import ExaminesStore
from backups_app.models import ImportFinding, ImportOrigin, ImportRun
from config.shared.admin.badges import STATUS_COLOURS, status_label
from config.shared.admin.facts import ProtectedModelAdmin
from config.shared.admin.filters import exact_filter
from config.shared.admin.shown import EMPTY
from config.shared.callers import Caller
from sessions_app.services.staff_edits import row_create, row_delete, row_update


class KeepingAdmin(ProtectedModelAdmin):
    """Records of what the keeping did."""

    def row_create(self, row: Any, caller: Caller) -> Any:
        return row_create(row=row, caller=caller, now=timezone.now(), project_id=self.project_of(row))

    def row_update(self, row: Any, changed: list[str], caller: Caller) -> None:
        row_update(row=row, changed=changed, caller=caller, now=timezone.now(), project_id=self.project_of(row))

    def row_delete(self, row: Any, caller: Caller) -> None:
        row_delete(row=row, caller=caller, now=timezone.now(), project_id=self.project_of(row))

    def project_of(self, row: Any) -> int:
        """Return the project whose audit remembers the change."""
        return int(row.project_id)


@admin.register(ImportRun)
class ImportRunAdmin(BringsInStores, ExaminesStore, KeepingAdmin):
    """Runs of imports, newest first."""

    actions_list = ("bring_in", *ExaminesStore.actions_list)
    time_field = "started_at"
    list_display = ("source", "source_format", "shown_status", "shown_new", "started_at", "finished_at")
    list_filter = ("status",)
    list_only = ("source", "source_format", "status", "counts", "started_at", "finished_at")
    search_fields = ("source",)
    search_help_text = _("Part of a source")
    autocomplete_fields = ("project",)
    identity_fields = ("project",)
    fieldsets = (
        (None, {"fields": ("project", "source", "source_format", "status", "started_at", "finished_at")}),
        (_("Reconciliation"), {"fields": ("counts", "sums", "failure", "report")}),
        (_("Options"), {"fields": ("options",)}),
        (_("Work"), {"fields": ("attempt", "position", "seconds", "worker", "lease_until")}),
    )

    def _shown(self, name: Any) -> Any:
        return counts_table if name == "counts" else super()._shown(name)

    @display(description=_("status"), label=STATUS_COLOURS)
    def shown_status(self, row: ImportRun) -> tuple[str, Any]:
        """The status as a badge."""
        return status_label(row, "status")

    @display(description=_("new"))
    def shown_new(self, row: ImportRun) -> str:
        """How many records were new."""
        kinds = [kind for kind in row.counts.values() if isinstance(kind, dict)]
        return f"{sum(kind.get('new', 0) for kind in kinds):,}"


@admin.register(ImportFinding)
class ImportFindingAdmin(KeepingAdmin):
    """What could not be taken over as it stood, with its file and line."""

    project_path = "run__project_id"
    list_display = ("shown_level", "code", "kind", "place", "detail")
    list_display_links = ("shown_level", "code")
    list_filter = ("level", exact_filter("code", _("code")))
    list_only = ("level", "code", "kind", "path", "line", "table", "key", "detail", "run_id")
    search_fields = ("=run",)
    search_help_text = _("Number of an import run")
    raw_id_fields = ("run",)
    identity_fields = ("run",)
    fieldsets = (
        (None, {"fields": ("run", "level", "kind", "code", "detail")}),
        (_("Place"), {"fields": ("path", "line", "table", "key")}),
        (_("As found"), {"fields": ("raw",)}),
    )
    masked_fields = ("raw",)

    @display(description=_("level"), label=STATUS_COLOURS)
    def shown_level(self, row: ImportFinding) -> tuple[str, Any]:
        """The level as a badge."""
        return status_label(row, "level")

    @display(description=_("place"))
    def place(self, row: ImportFinding) -> str:
        """File and line, or table and key."""
        where = f"{row.path}:{row.line}" if row.line is not None else row.path or row.table
        return format_html('<span class="ledger-id" dir="auto">{}</span>', f"{where} {row.key}".strip())

    def project_of(self, row: ImportFinding) -> int:
        return int(row.run.project_id)


@admin.register(ImportOrigin)
class ImportOriginAdmin(KeepingAdmin):
    """Where imported rows come from."""

    project_path = "run__project_id"
    list_display = ("path", "shown_session", "shown_records", "assumed_timezone", "run")
    list_only = ("path", "records", "assumed_timezone", "run__source_format", "run__started_at", "session__session_id")
    list_select_related = ("run", "session")
    search_fields = ("=run", "=session__session_id")
    search_help_text = _("Number of an import run, or a session id")
    raw_id_fields = ("run", "session")
    identity_fields = ("run", "session")
    fieldsets = ((None, {"fields": ("run", "session", "path", "assumed_timezone", "records")}),)

    @display(description=_("session"))
    def shown_session(self, row: ImportOrigin) -> str:
        """The session's id."""
        return row.session.session_id if row.session else EMPTY

    @display(description=_("records"))
    def shown_records(self, row: ImportOrigin) -> str:
        """How many of each kind."""
        return ", ".join(f"{kind} {len(entries):,}" for kind, entries in row.records.items())

    def project_of(self, row: ImportOrigin) -> int:
        return int(row.run.project_id)
