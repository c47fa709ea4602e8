"""Admin of knowledge sources and documents."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from config.shared.admin.badges import STATUS_COLOURS, status_label
from config.shared.admin.base import LedgerModelAdmin
from config.shared.admin.callers import caller_of_staff
from config.shared.admin.filters import exact_filter
from config.shared.admin.forms import VersionedForm
from config.shared.callers import Caller
from config.shared.querysets import starts_with
from sessions_app.admin.base import StaffEdited
from sessions_app.models import Document, KnowledgeSource
from sessions_app.services.documents import safe_key, safe_namespace
from sessions_app.services.knowledge import (
    knowledge_source_create,
    knowledge_source_delete,
    knowledge_source_undelete,
    knowledge_source_update,
)

VALUES = ("source_name", "source_path", "source_type", "status", "metadata", "created_at")


@admin.register(KnowledgeSource)
class KnowledgeSourceAdmin(LedgerModelAdmin):
    """Where agents draw knowledge from. Deleting only marks a source; an action brings it back."""

    actions = ("undelete",)

    time_field = "created_at"
    list_display = ("source_name", "source_type", "shown_status", "source_path", "deleted_at", "created_at")
    list_filter = ("status", ("deleted_at", admin.EmptyFieldListFilter), exact_filter("source_type", _("type")))
    list_only = ("source_name", "source_type", "status", "source_path", "deleted_at", "created_at")
    search_fields = ("source_name",)
    search_help_text = _("Part of a name")
    autocomplete_fields = ("project",)
    identity_fields = ("project",)
    readonly_fields = ("deleted_at", "updated_at")
    fieldsets = (
        (None, {"fields": ("project", "source_name", "source_path", "source_type", "status", "metadata")}),
        (_("Times"), {"fields": ("created_at", "updated_at", "deleted_at")}),
    )

    @display(description=_("status"), label=STATUS_COLOURS)
    def shown_status(self, row: KnowledgeSource) -> tuple[str, Any]:
        """The status as a badge."""
        return status_label(row, "status")

    @admin.action(description=_("Bring the selected sources back"), permissions=["change"])
    def undelete(self, request: HttpRequest, queryset: QuerySet[KnowledgeSource]) -> None:
        """Take the deletion of sources back."""
        for source in queryset.filter(deleted_at__isnull=False):
            knowledge_source_undelete(source=source, caller=caller_of_staff(request), now=timezone.now())
        self.message_user(request, _("The sources are back."))

    def row_create(self, row: KnowledgeSource, caller: Caller) -> KnowledgeSource:
        values = {name: getattr(row, name) for name in VALUES}
        return knowledge_source_create(project_id=row.project_id, values=values, caller=caller, now=timezone.now())

    def row_update(self, row: KnowledgeSource, changed: list[str], caller: Caller) -> None:
        values = {name: getattr(row, name) for name in changed}
        knowledge_source_update(source=row, values=values, caller=caller, now=timezone.now())

    def row_delete(self, row: KnowledgeSource, caller: Caller) -> None:
        knowledge_source_delete(source=row, caller=caller, now=timezone.now())


@admin.register(Document)
class DocumentAdmin(StaffEdited, LedgerModelAdmin):
    """Namespaced JSON values with a time to live: those in the database, not those that settings put elsewhere."""

    form = VersionedForm
    ordering = ("-pk",)
    list_display = ("key", "namespace", "version", "expires_at", "updated_at")
    list_filter = (exact_filter("namespace", _("namespace")),)
    list_only = ("key", "namespace", "version", "expires_at", "updated_at")
    # Read by get_search_results below; named here so that the page offers the search.
    search_fields = ("^namespace",)
    search_help_text = _("namespace/beginning of a key")
    autocomplete_fields = ("project",)
    identity_fields = ("project", "namespace", "key")
    readonly_fields = ("version", "created_at", "updated_at")
    masked_fields = ("value",)
    fieldsets = (
        (None, {"fields": ("project", "namespace", "key", "value", "seen_version")}),
        (_("Lifetime"), {"fields": ("expires_at", "created_at", "updated_at", "version")}),
    )

    def get_search_results(self, request: HttpRequest, queryset: QuerySet, search_term: str) -> tuple[QuerySet, bool]:
        """Find keys by namespace and beginning, in the order of the index that the API's prefix list uses."""
        namespace, slash, beginning = search_term.strip().partition("/")
        if not slash:
            return super().get_search_results(request, queryset, search_term)
        return queryset.filter(starts_with("key", beginning), namespace=namespace), False

    def row_create(self, row: Document, caller: Caller) -> Document:
        """Keep to the rule for keys, which holds on every backend."""
        row.namespace, row.key = safe_namespace(row.namespace), safe_key(row.key)
        return super().row_create(row, caller)
