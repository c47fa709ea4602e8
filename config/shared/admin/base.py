"""The base of every admin page: walls, masks, fast lists, readable values, and services that do the writing."""

from typing import Any

from django.contrib import messages
from django.contrib.admin import ShowFacets
from django.contrib.admin.utils import flatten_fieldsets, quote
from django.db import models, transaction
from django.db.models import Field, Model, QuerySet
from django.forms import Field as FormField
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin
from unfold.views import ChangeList

from config.shared.admin.callers import caller_of_staff
from config.shared.admin.deletion import deletion_summary
from config.shared.admin.filters import ProjectFilter
from config.shared.admin.forms import ExactTextField, JsonFormField, JsonTextarea, LedgerForm
from config.shared.admin.paginator import BoundedPaginator
from config.shared.admin.search import indexed_search
from config.shared.admin.shown import Shown, mask_row
from config.shared.callers import Caller
from config.shared.errors import LedgerError
from config.shared.fields import JSONTextField


class LedgerChangeList(ChangeList):
    """A list that reads only the columns it shows, and masks them where the reader may not see contents."""

    def get_queryset(self, request: HttpRequest, exclude_parameters: list[str | None] | None = None) -> QuerySet:
        """Return the filtered rows, cut down to the columns of the list."""
        return self.model_admin.list_rows(super().get_queryset(request, exclude_parameters))

    def get_results(self, request: HttpRequest) -> None:
        """Read the page."""
        super().get_results(request)
        if not (self.query or self.has_active_filters):
            # Nothing is left out by a choice of the reader, so the page offers no way back to "all".
            self.full_result_count = self.result_count
        self.model_admin.mask(request, *self.result_list)

    def url_for_result(self, result: Model) -> str:
        """Return where a row's link leads."""
        return self.model_admin.row_url(result) or super().url_for_result(result)


class LedgerModelAdmin(ModelAdmin):
    """Admin of one table.

    A subclass names its services in `row_create`, `row_update` and `row_delete`: the admin itself writes nothing.
    """

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
    # Fields that identify the row: settled when it is made.
    identity_fields: tuple[str, ...] = ()
    # Ids that the service makes where none is given.
    made_when_empty: tuple[str, ...] = ()

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

    # Fields

    def get_readonly_fields(self, request: HttpRequest, obj: Model | None = None) -> list[Any]:
        """Return the fields that are only shown, each shown in the way of its kind."""
        names = list(super().get_readonly_fields(request, obj))
        if obj is not None:
            names += [name for name in self.identity_fields if name not in names]
        return [self._shown(name) for name in names]

    def get_fieldsets(self, request: HttpRequest, obj: Model | None = None) -> list[Any]:
        """Return the fieldsets with every field that cannot be edited now replaced by the way it is shown."""
        fieldsets = super().get_fieldsets(request, obj)
        if obj is not None and not self.has_change_permission(request, obj):
            fixed = {name for name in flatten_fieldsets(fieldsets) if isinstance(name, str)}
        else:
            fixed = {getattr(item, "__name__", item) for item in self.get_readonly_fields(request, obj)}
        return [(title, {**parts, "fields": self._replaced(parts["fields"], fixed)}) for title, parts in fieldsets]

    def _replaced(self, fields: Any, fixed: set[str]) -> list[Any]:
        return [
            self._replaced(item, fixed)
            if isinstance(item, list | tuple)
            else self._shown(item)
            if item in fixed
            else item
            for item in fields
        ]

    def _shown(self, name: Any) -> Any:
        """Return the Shown of a text, JSON or foreign key field, always the same one; any other name as it is."""
        shown = self.__dict__.setdefault("_shown_fields", {})
        if not isinstance(name, str) or name in shown:
            return shown.get(name, name)
        field = next((field for field in self.opts.concrete_fields if field.name == name), None)
        if isinstance(field, models.TextField | models.ForeignKey):
            shown[name] = Shown(field)
        return shown.get(name, name)

    def formfield_for_dbfield(self, db_field: Field, request: HttpRequest, **kwargs: Any) -> FormField | None:
        """Edit JSON as indented text, and any text with its spaces kept."""
        if isinstance(db_field, JSONTextField):
            field = JsonFormField(required=False, label=capfirst(db_field.verbose_name), help_text=db_field.help_text)
            field.widget = JsonTextarea()
            field.empty_value = db_field.get_default()
            return field
        if isinstance(db_field, models.CharField | models.TextField) and not db_field.choices:
            kwargs.setdefault("form_class", ExactTextField)
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        if field is not None and db_field.name in self.made_when_empty:
            field.required = False
            field.help_text = _("Made here when left empty.")
        return field

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """Offer and accept only rows that the member of staff may see."""
        related = self.admin_site._registry.get(db_field.remote_field.model)
        if related is not None and "queryset" not in kwargs:
            kwargs["queryset"] = related.get_queryset(request).order_by()
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    # Writing

    def row_create(self, row: Model, caller: Caller) -> Model:
        """Make the row by a service, and return what was stored."""
        raise NotImplementedError(f"{type(self).__name__} names no service that makes rows.")

    def row_update(self, row: Model, changed: list[str], caller: Caller) -> None:
        """Store the changed fields of the row by a service."""
        raise NotImplementedError(f"{type(self).__name__} names no service that changes rows.")

    def row_delete(self, row: Model, caller: Caller) -> None:
        """Delete the row by a service."""
        raise NotImplementedError(f"{type(self).__name__} names no service that deletes rows.")

    def save_model(self, request: HttpRequest, obj: Model, form: Any, change: bool) -> None:
        """Hand the row to its service."""
        caller = caller_of_staff(request)
        if change:
            own = {field.name for field in (*self.opts.concrete_fields, *self.opts.many_to_many)}
            self.row_update(obj, [name for name in form.changed_data if name in own], caller)
        else:
            obj.pk = self.row_create(obj, caller).pk

    def delete_model(self, request: HttpRequest, obj: Model) -> None:
        """Delete one row by its service."""
        self.row_delete(obj, caller_of_staff(request))

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet) -> None:
        """Delete the selected rows, all or none."""
        with transaction.atomic():
            for row in queryset:
                self.row_delete(row, caller_of_staff(request))

    def get_form(self, request: HttpRequest, obj: Model | None = None, change: bool = False, **kwargs: Any) -> Any:
        """Return the form; after a service has refused its input, one that shows the refusal."""
        form = super().get_form(request, obj, change=change, **kwargs)
        form.refusal = getattr(request, "_ledger_refusal", None)
        return form

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Show the form again, with what was typed, when the service refuses it."""
        try:
            return super().changeform_view(request, *args, **kwargs)
        except LedgerError as refusal:
            request._ledger_refusal = refusal
            return super().changeform_view(request, *args, **kwargs)

    def get_deleted_objects(
        self, objs: Any, request: HttpRequest
    ) -> tuple[list[str], dict[str, Any], set[str], list[str]]:
        """Say what would go, in numbers; the right to delete a row covers what hangs on it."""
        shown, counts, obstacles = deletion_summary(list(objs))
        missing = set() if self.has_delete_permission(request) else {str(self.opts.verbose_name)}
        return shown, counts, missing, obstacles

    def delete_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Say why when the service refuses to delete the row."""
        try:
            return super().delete_view(request, object_id, extra_context)
        except LedgerError as refusal:
            messages.error(request, str(refusal))
            name = f"admin:{self.opts.app_label}_{self.opts.model_name}_change"
            return HttpResponseRedirect(reverse(name, args=[quote(object_id)]))
