"""Admin of backups and restores: what there is, what is at work, and everything that people may do to them."""

from typing import Any

from django.conf import settings
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.template.defaultfilters import filesizeformat
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.http import content_disposition_header
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from backups_app.admin.part_page import part_page
from backups_app.admin.restore_page import restore_page
from backups_app.admin.row_tables import rows_table
from backups_app.models import Backup, Restore
from backups_app.models.backups import sees_whole_store
from backups_app.selectors import backup_standing, jobs_at_work
from backups_app.services.backups import backup_delete, backup_hand_out, backup_protect
from backups_app.services.backups.runs import name_check
from config.shared.admin.badges import STATUS_COLOURS, status_label
from config.shared.admin.base import LedgerModelAdmin
from config.shared.admin.callers import caller_of_staff
from config.shared.admin.numbers import shown_number
from config.shared.admin.shown import EMPTY
from config.shared.callers import Caller
from config.shared.errors import LedgerError
from sessions_app.services.jobs import job_enqueue


def sees_all(request: HttpRequest) -> bool:
    """Return whether no project is hidden from the member of staff, found once a request."""
    if not hasattr(request, "_ledger_sees_all"):
        request._ledger_sees_all = sees_whole_store(caller_of_staff(request))
    return bool(request._ledger_sees_all)


class WholeStoreAdmin(LedgerModelAdmin):
    """Rows about the whole store, which nobody types in: they are for staff before whom no project is hidden."""

    project_path = None
    ordering = ("-started_at", "-pk")
    list_before_template = "admin/backups/panel.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        rows = super().get_queryset(request)
        return rows if sees_all(request) else rows.none()

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_work_permission(self, request: HttpRequest) -> bool:
        """Administrators before whom no project is hidden."""
        allowed = request.user.has_perm("backups_app.change_backup")
        return bool(allowed) and sees_all(request)

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Show what is at work above the list."""
        panel = self.panel(request) if request.method == "GET" else {}
        return super().changelist_view(request, {**(extra_context or {}), "panel": panel})

    def panel(self, request: HttpRequest) -> dict[str, Any]:
        """Return what stands above the list."""
        return {"jobs": jobs_at_work(kinds="backup.restore")}

    @display(description=_("status"), label=STATUS_COLOURS)
    def shown_status(self, row: Any) -> tuple[str, Any]:
        """The status as a badge."""
        return status_label(row, "status")

    @display(description=_("rows"))
    def shown_rows(self, row: Any) -> str:
        """How many rows are in it."""
        return shown_number(row.row_count) if row.row_count else EMPTY


@admin.register(Backup)
class BackupAdmin(WholeStoreAdmin):
    """Backups, newest first."""

    list_display = ("name", "shown_status", "started_at", "shown_size", "shown_rows", "shown_marks")
    list_filter = ("status",)
    search_fields = ("name",)
    search_help_text = _("Part of a name")
    change_form_outer_before_template = "admin/backups/actions.html"
    readonly_fields = ("shown_size", "shown_rows", "shown_tables", "shown_manifest")
    fieldsets = (
        (None, {"fields": ("name", "status", "failure", "shown_size", "shown_rows", "encrypted", "protected")}),
        (_("Times"), {"fields": ("started_at", "finished_at", "verified_at", "last_check_at")}),
        (_("Origin"), {"fields": ("trigger", "requested_by", "sequence", "location", "shown_manifest")}),
        (_("Tables"), {"fields": ("shown_tables",)}),
    )

    @display(description=_("size"))
    def shown_size(self, row: Backup) -> str:
        """The size of its folder."""
        return filesizeformat(row.size_bytes) if row.size_bytes else EMPTY

    @display(description=_("marks"))
    def shown_marks(self, row: Backup) -> str:
        """Whether it is encrypted, and protected."""
        marks = ((row.encrypted, _("encrypted")), (row.protected, _("protected")))
        return ", ".join(str(word) for holds, word in marks if holds)

    @display(description=_("SHA-256 of the manifest"))
    def shown_manifest(self, row: Backup) -> str:
        """The checksum that names this archive and no other."""
        return format_html('<span class="ledger-code">{}</span>', row.manifest_sha256 or EMPTY)

    @display(description=_("tables"))
    def shown_tables(self, row: Backup) -> str:
        """The rows of each table."""
        return rows_table({_("rows"): row.tables})

    def panel(self, request: HttpRequest) -> dict[str, Any]:
        return {
            "standing": backup_standing(now=timezone.now()),
            "jobs": jobs_at_work(kinds="backup."),
            "may_work": self.has_work_permission(request),
            "interval_hours": settings.BACKUP_INTERVAL / 3600,
            "folder": settings.BACKUP_DIR,
        }

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("backups_app.delete_backup")

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        """Leave out the deletion of many: MAX_BACKUPS sees to that, and spares what must stay."""
        return {name: action for name, action in super().get_actions(request).items() if name != "delete_selected"}

    def row_delete(self, row: Backup, caller: Caller) -> None:
        backup_delete(backup=row, caller=caller, now=timezone.now())

    def get_urls(self) -> list[URLPattern]:
        """Add an address for each thing that may be done."""
        views = (
            ("make/", self.make),
            ("scan/", self.scan),
            ("<int:pk>/verify/", self.verify),
            ("<int:pk>/protect/", self.protect),
            ("<int:pk>/download/", self.download),
            ("<int:pk>/restore/", self.restore),
            ("<int:pk>/restore-part/", self.restore_part),
        )
        own = [
            path(route, self.admin_site.admin_view(view), name=f"backups_app_backup_{view.__name__}")
            for route, view in views
        ]
        return [*own, *super().get_urls()]

    def make(self, request: HttpRequest) -> HttpResponse:
        """Ask for a backup now."""
        self._allowed(request, posted=True)
        name = request.POST.get("name", "").strip()
        try:
            arguments = {"trigger": Backup.Trigger.ADMIN.value, **({"name": name_check(name)} if name else {})}
        except LedgerError as refusal:
            messages.error(request, str(refusal).removeprefix("/name: "))
            return self._list()
        return self._asked(request, "backup.make", arguments, _("A backup has been asked for."))

    def scan(self, request: HttpRequest) -> HttpResponse:
        """Ask to look through BACKUP_DIR."""
        self._allowed(request, posted=True)
        return self._asked(request, "backup.scan", {}, _("The folder is being looked through."))

    def verify(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Ask to have one read back."""
        self._allowed(request, posted=True)
        return self._asked(
            request, "backup.verify", {"name": self._row(request, pk).name}, _("It is being read back in full.")
        )

    def protect(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Protect one, or take the protection away."""
        self._allowed(request, posted=True)
        protected = request.POST.get("protected") == "yes"
        row = self._row(request, pk)
        backup_protect(backup=row, protected=protected, caller=caller_of_staff(request), now=timezone.now())
        messages.success(request, _("It is protected.") if protected else _("It is not protected any more."))
        return HttpResponseRedirect(reverse("admin:backups_app_backup_change", args=[pk]))

    def download(self, request: HttpRequest, pk: int) -> HttpResponseBase:
        """Send the archive as a tar; the audit tells who took it."""
        self._allowed(request)
        try:
            tar = backup_hand_out(backup=self._row(request, pk), caller=caller_of_staff(request), now=timezone.now())
        except LedgerError as refusal:
            messages.error(request, str(refusal))
            return HttpResponseRedirect(reverse("admin:backups_app_backup_change", args=[pk]))
        headers = {
            "Content-Disposition": content_disposition_header(True, tar.name),
            "Content-Length": str(tar.size),
            "Cache-Control": "no-store",
        }
        return StreamingHttpResponse(tar.pieces, content_type="application/x-tar", headers=headers)

    def restore(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Show what a restore would do, and do it when it is confirmed."""
        self._allowed(request)
        return restore_page(request, self, self._row(request, pk))

    def restore_part(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Show what the restore of a part would do, and do it when it is confirmed."""
        self._allowed(request)
        return part_page(request, self, self._row(request, pk))

    def _allowed(self, request: HttpRequest, *, posted: bool = False) -> None:
        if not self.has_work_permission(request) or (posted and request.method != "POST"):
            raise PermissionDenied

    def _row(self, request: HttpRequest, pk: int) -> Backup:
        row = self.get_queryset(request).filter(pk=pk).first()
        if row is None:
            raise Http404
        return row

    def _asked(self, request: HttpRequest, kind: str, arguments: dict[str, Any], text: Any) -> HttpResponse:
        job_enqueue(kind=kind, arguments=arguments, now=timezone.now(), caller=caller_of_staff(request))
        messages.success(request, text)
        return self._list()

    def _list(self) -> HttpResponse:
        return HttpResponseRedirect(reverse("admin:backups_app_backup_changelist"))


@admin.register(Restore)
class RestoreAdmin(WholeStoreAdmin):
    """Restores, newest first."""

    list_display = ("backup_name", "shown_status", "target", "started_at", "shown_rows")
    list_filter = ("status",)
    search_fields = ("backup_name",)
    search_help_text = _("Part of the name of an archive")
    readonly_fields = ("shown_rows", "shown_tables")
    fieldsets = (
        (None, {"fields": ("backup_name", "target", "status", "failure", "replace", "shown_rows", "requested_by")}),
        (_("Times"), {"fields": ("started_at", "finished_at")}),
        (_("Tables"), {"fields": ("shown_tables",)}),
        (_("Report"), {"fields": ("report",)}),
    )

    @display(description=_("tables"))
    def shown_tables(self, row: Restore) -> str:
        """The rows of each table, before and in the archive."""
        before = row.report.get("there") or row.report.get("replaced") or {}
        return rows_table({_("before"): before, _("in the archive"): row.report.get("tables", {})})
