"""Protection of facts: they open for reading, and are edited only after a deliberate step."""

from typing import Any

from django.db.models import Model
from django.http import HttpRequest, HttpResponse
from django.urls import reverse

from config.shared.admin.base import LedgerModelAdmin

EDIT_PARAMETER = "edit"


class ProtectedModelAdmin(LedgerModelAdmin):
    """Rows that report what happened: changing one is possible, but never by accident."""

    change_form_outer_before_template = "admin/protected_notice.html"

    def may_edit(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Return whether the member of staff has the permission to edit, switch or no switch."""
        return super().has_change_permission(request, obj)

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Require, besides the permission, that the page was asked to be editable."""
        if obj is None:
            return self.may_edit(request)
        return self.may_edit(request, obj) and EDIT_PARAMETER in request.GET

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], **kwargs: Any) -> HttpResponse:
        """Tell the page which side of the switch it is on."""
        obj = kwargs.get("obj")
        if obj is not None:
            name = f"admin:{self.opts.app_label}_{self.opts.model_name}_change"
            context["protected_editing"] = self.has_change_permission(request, obj)
            context["protected_switch"] = self.may_edit(request, obj)
            context["protected_page"] = reverse(name, args=[obj.pk])
        return super().render_change_form(request, context, **kwargs)
