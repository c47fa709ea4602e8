"""Admin of what settings were: their versions with the way back to one, and named snapshots."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from config.shared.admin.base import LedgerModelAdmin
from config.shared.admin.callers import caller_of_staff
from config.shared.admin.shown import EMPTY, shown_beginning
from config.shared.callers import Caller
from config.shared.errors import LedgerError
from sessions_app.admin.base import ViewOnly
from sessions_app.models import ConfigSnapshot, ConfigSnapshotEntry, ConfigVersion
from sessions_app.services.config_snapshots import (
    config_snapshot_create,
    config_snapshot_delete,
    config_snapshot_restore,
)
from sessions_app.services.configs import config_rollback


class AdministratorsAct:
    """Going back may bring secrets back, which only administrators set."""

    def has_go_back_permission(self, request: HttpRequest) -> bool:
        """Return whether the member of staff may go back to a former state."""
        return caller_of_staff(request).role == "admin" and request.user.has_perm("sessions_app.change_systemconfig")

    def only_one(self, request: HttpRequest, queryset: QuerySet[Any]) -> Any:
        """Return the one row that was ticked, or say that it is to be one."""
        rows = list(queryset[:2])
        if len(rows) != 1:
            self.message_user(request, _("Tick exactly one row."), messages.ERROR)
            return None
        return rows[0]


@admin.register(ConfigVersion)
class ConfigVersionAdmin(AdministratorsAct, ViewOnly):
    """Every change of every setting: who, when, and what it became. Secrets are masks."""

    actions = ("go_back",)
    ordering = ("project", "key", "-version")
    list_display = ("key", "version", "shown_value", "shown_removed", "actor", "at")
    list_filter = ("is_removed",)
    search_fields = ("^key",)
    search_help_text = _("Beginning of a key")

    @display(description=_("value"))
    def shown_value(self, row: ConfigVersion) -> str:
        """The beginning of the value, its secrets masked."""
        return shown_beginning(row.value)

    @display(description=_("removed"))
    def shown_removed(self, row: ConfigVersion) -> str:
        """A mark where the change was the removal of the setting."""
        return (
            format_html('<span class="ledger-badge ledger-badge-failed">{}</span>', _("removed"))
            if row.is_removed
            else EMPTY
        )

    @admin.action(description=_("Set the setting to what it was in this version"), permissions=["go_back"])
    def go_back(self, request: HttpRequest, queryset: QuerySet[ConfigVersion]) -> None:
        """Set the setting to the ticked version; the history keeps what it was until now."""
        row = self.only_one(request, queryset)
        if row is None:
            return
        try:
            config_rollback(
                project_id=row.project_id,
                key=row.key,
                version=row.version,
                now=timezone.now(),
                caller=caller_of_staff(request),
            )
        except LedgerError as refusal:
            self.message_user(request, str(refusal), messages.ERROR)
        else:
            self.message_user(request, _("The setting %(key)s is what it was.") % {"key": row.key})


@admin.register(ConfigSnapshot)
class ConfigSnapshotAdmin(AdministratorsAct, LedgerModelAdmin):
    """Named states of all settings."""

    actions = ("restore",)
    time_field = "created_at"
    list_display = ("name", "description", "actor", "created_at")
    search_fields = ("^name",)
    search_help_text = _("Beginning of a name")
    autocomplete_fields = ("project",)
    identity_fields = ("project", "name", "description")
    readonly_fields = ("shown_settings", "actor", "created_at")
    fields = ("project", "name", "description", "shown_settings", "actor", "created_at")

    @display(description=_("settings"))
    def shown_settings(self, row: ConfigSnapshot) -> str:
        """The settings in the snapshot with the version that each had."""
        if row.pk is None:
            return "-"
        versions = row.entries.order_by("config_version__key")
        pairs = versions.values_list("config_version__key", "config_version__version")[:500]
        return ", ".join(f"{key} ({version})" for key, version in pairs) or "-"

    @admin.action(description=_("Make all settings what they were in this snapshot"), permissions=["go_back"])
    def restore(self, request: HttpRequest, queryset: QuerySet[ConfigSnapshot]) -> None:
        """Restore the ticked snapshot in one transaction; the history keeps what was."""
        row = self.only_one(request, queryset)
        if row is None:
            return
        done = config_snapshot_restore(snapshot=row, now=timezone.now(), caller=caller_of_staff(request))
        told = {"set": len(done.set), "removed": len(done.removed), "unchanged": done.unchanged}
        text = _("Settings: %(set)s set, %(removed)s removed, %(unchanged)s as they were.") % told
        self.message_user(request, text)

    def row_create(self, row: ConfigSnapshot, caller: Caller) -> ConfigSnapshot:
        return config_snapshot_create(
            project_id=row.project_id, name=row.name, description=row.description, now=timezone.now(), caller=caller
        )

    def row_delete(self, row: ConfigSnapshot, caller: Caller) -> None:
        config_snapshot_delete(snapshot=row, now=timezone.now(), caller=caller)


@admin.register(ConfigSnapshotEntry)
class ConfigSnapshotEntryAdmin(ViewOnly):
    """Which version of a setting a snapshot holds."""

    project_path = "snapshot__project_id"
    list_display = ("snapshot", "config_version")
    list_select_related = ("snapshot", "config_version")
    search_fields = ("^snapshot__name",)
    search_help_text = _("Beginning of a name")
