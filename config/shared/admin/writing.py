"""How an admin page writes: each change is one call of a service, and what the service refuses shows in the form."""

from typing import Any

from django.contrib import messages
from django.contrib.admin.utils import quote
from django.db import transaction
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from config.shared.admin.callers import caller_of_staff
from config.shared.admin.deletion import deletion_summary
from config.shared.callers import Caller
from config.shared.errors import LedgerError


class WritesByService:
    """The part of an admin page that writes; mixed into LedgerModelAdmin.

    A subclass names its services in `row_create`, `row_update` and `row_delete`: the admin itself writes nothing.
    """

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
        """Hand the row to its service; an untouched form is no change."""
        caller = caller_of_staff(request)
        if change:
            own = {field.name for field in (*self.opts.concrete_fields, *self.opts.many_to_many)}
            changed = [name for name in form.changed_data if name in own]
            if changed:
                self.row_update(obj, changed, caller)
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
