"""How fields of a form are shown and edited: JSON readable, texts exact, ids settled, relations within the walls."""

from typing import Any

from django.contrib.admin.utils import flatten_fieldsets
from django.db import models
from django.db.models import Field, Model
from django.forms import Field as FormField
from django.http import HttpRequest
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _

from config.shared.admin.forms import ExactTextField, JsonFormField, JsonTextarea
from config.shared.admin.shown import Shown
from config.shared.fields import JSONTextField


class ReadableFields:
    """The part of an admin page that decides about each field; mixed into LedgerModelAdmin."""

    # Fields that identify the row: settled when it is made.
    identity_fields: tuple[str, ...] = ()
    # Ids that the service makes where none is given.
    made_when_empty: tuple[str, ...] = ()

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
        if isinstance(db_field, models.DateTimeField):
            # A default that is called is no reason to carry the stored time through the browser, which cuts it short.
            kwargs.setdefault("show_hidden_initial", False)
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
