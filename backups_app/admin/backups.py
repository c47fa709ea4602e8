"""Admin of backups: what there is, how old it is, and whether it was read back and found good."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from backups_app.models import Backup, Restore
from config.shared.admin.badges import STATUS_COLOURS, status_label
from config.shared.admin.base import LedgerModelAdmin
from config.shared.admin.callers import caller_of_staff


class WholeStoreAdmin(LedgerModelAdmin):
    """Rows about the whole store, which nobody types in: they are for staff before whom no project is hidden."""

    project_path = None
    ordering = ("-started_at", "-pk")

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        return super().get_queryset(request).visible_to(caller_of_staff(request))

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    @display(description=_("status"), label=STATUS_COLOURS)
    def shown_status(self, row: Any) -> tuple[str, Any]:
        """The status as a badge."""
        return status_label(row, "status")


@admin.register(Backup)
class BackupAdmin(WholeStoreAdmin):
    """Backups, newest first."""

    list_display = ("name", "shown_status", "started_at", "size_bytes", "row_count", "encrypted", "protected")
    list_filter = ("status",)
    search_fields = ("name",)
    search_help_text = _("Part of a name")


@admin.register(Restore)
class RestoreAdmin(WholeStoreAdmin):
    """Restores, newest first."""

    list_display = ("backup_name", "shown_status", "target", "started_at", "row_count")
    list_filter = ("status",)
    search_fields = ("backup_name",)
    search_help_text = _("Part of the name of an archive")
