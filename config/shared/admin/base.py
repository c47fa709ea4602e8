"""The base of every admin page: walls, masks, and lists that stay fast."""

from typing import Any

from django.contrib.admin import ShowFacets
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from unfold.admin import ModelAdmin
from unfold.views import ChangeList

from config.shared.admin.callers import caller_of_staff
from config.shared.admin.fields import ReadableFields
from config.shared.admin.filters import ProjectFilter
from config.shared.admin.forms import LedgerForm
from config.shared.admin.lists import LedgerChangeList
from config.shared.admin.paginator import BoundedPaginator
from config.shared.admin.search import indexed_search
from config.shared.admin.shown import mask_row
from config.shared.admin.writing import WritesByService


class LedgerModelAdmin(WritesByService, ReadableFields, ModelAdmin):
    """Admin of one table: which of its rows there are to see, and for whom."""

    form = LedgerForm
    paginator = BoundedPaginator
    show_full_result_count = False
    show_facets = ShowFacets.NEVER
    list_per_page = 50
    list_max_show_all = 0
    sortable_by = ()
    warn_unsaved_form = True
    # "All" could be a million rows more than the page shows: actions take what was ticked.
    list_disable_select_all = True

    # Where the project stands; None for tables that belong to no project.
    project_path: str | None = "project_id"
    # Fields that Analysts see as a mask (api.md, Commands: roles).
    masked_fields: tuple[str, ...] = ()
    # The column that the index of the list page is ordered by after the project.
    time_field: str | None = None
    # The only columns that the list reads; empty means all.
    list_only: tuple[str, ...] = ()

    # Which rows

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        """Return the rows within the projects of the member of staff."""
        rows = super().get_queryset(request)
        if self.project_path is None:
            return rows
        caller = caller_of_staff(request)
        if hasattr(rows, "visible_to"):
            return rows.visible_to(caller)
        return rows.filter(**{f"{self.project_path}__in": caller.project_ids})

    def get_ordering(self, request: HttpRequest) -> tuple[str, ...]:
        """Order by time where one project makes the index serve it, and by the primary key otherwise: newest first."""
        if self.ordering:
            return tuple(self.ordering)
        if self.time_field and self.project_path and self._one_project(request):
            return (f"-{self.time_field}", "-pk")
        return ("-pk",)

    def _one_project(self, request: HttpRequest) -> bool:
        return len(caller_of_staff(request).project_ids or ()) == 1 or request.GET.get("project", "").isdigit()

    def list_rows(self, rows: QuerySet) -> QuerySet:
        """Return the rows of the list with only the columns that it shows."""
        return rows.only(*self.list_only) if self.list_only else rows

    def get_search_results(self, request: HttpRequest, queryset: QuerySet, search_term: str) -> tuple[QuerySet, bool]:
        """Search by index; see `indexed_search` for the notation of `search_fields`."""
        return indexed_search(queryset, self.get_search_fields(request), search_term.strip()), False

    def get_list_filter(self, request: HttpRequest) -> list[Any]:
        """Offer the project first, to those who see several."""
        filters = list(super().get_list_filter(request))
        return [ProjectFilter, *filters] if self.project_path else filters

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return LedgerChangeList

    def row_url(self, row: Model) -> str | None:
        """Return the page that a row of the list leads to; None means its form."""
        return None

    # What is seen of them

    def mask(self, request: HttpRequest, *rows: Model) -> None:
        """Mask the contents of rows for those who may not see them."""
        if self.masked_fields and not caller_of_staff(request).can_see_contents:
            for row in rows:
                mask_row(row, self.masked_fields)

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Model | None:
        """Return one row, masked like those of the list."""
        row = super().get_object(request, object_id, from_field)
        if row is not None:
            self.mask(request, row)
        return row

    def _may_write(self, request: HttpRequest) -> bool:
        return not self.masked_fields or caller_of_staff(request).can_see_contents

    def has_add_permission(self, request: HttpRequest) -> bool:
        return super().has_add_permission(request) and self._may_write(request)

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return super().has_change_permission(request, obj) and self._may_write(request)

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return super().has_delete_permission(request, obj) and self._may_write(request)
