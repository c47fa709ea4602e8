"""Filters that are never ignored: an unknown one, an empty one, one given twice, or a bad value is an error."""

from collections.abc import Iterable
from typing import Any

import django_filters
from django import forms
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db.models import QuerySet
from django_filters.rest_framework import DjangoFilterBackend
from rest_framework.filters import BaseFilterBackend

from config.shared.api.fields import EARLIEST, LATEST
from config.shared.api.json_bodies import GREATEST_INTEGER
from config.shared.api.pagination import PAGE_PARAMETERS
from config.shared.errors import FieldError, InvalidInput
from config.shared.querysets import starts_with

ALWAYS_KNOWN = ("project",)


def check_parameters(
    request: Any, known: Iterable[str], prefixes: tuple[str, ...] = (), repeatable: Iterable[str] = ()
) -> None:
    """Raise InvalidInput that names each query parameter which is unknown, empty or given more than once.

    Those that are `repeatable` may be given several times.
    """
    known = {*known, *ALWAYS_KNOWN}
    errors = []
    for name, values in request.query_params.lists():
        open_ended = bool(prefixes) and name.startswith(prefixes)
        if name not in known and not open_ended:
            errors.append(FieldError(f"/{name}", f"There is no query parameter {name!r} here."))
        elif len(values) > 1 and name not in repeatable:
            errors.append(FieldError(f"/{name}", f"The query parameter {name!r} is given more than once."))
        elif "" in values and not open_ended:
            errors.append(FieldError(f"/{name}", f"The query parameter {name!r} is empty."))
    if errors:
        raise InvalidInput(errors)


class TextFilter(django_filters.CharFilter):
    """The rows whose text is exactly this one, spaces and case included."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("strip", False)
        super().__init__(*args, **kwargs)


class PrefixFilter(TextFilter):
    """The rows whose id starts with this text."""

    def filter(self, qs: QuerySet[Any], value: str) -> QuerySet[Any]:
        return qs.filter(starts_with(self.field_name, value)) if value else qs


class IntegerFilter(django_filters.NumberFilter):
    """The rows with this whole number."""

    field_class = forms.IntegerField

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, min_value=-GREATEST_INTEGER, max_value=GREATEST_INTEGER, **kwargs)

    def get_max_validator(self) -> None:
        """No validator of its own: the form field's bounds are enough."""


class InstantFilter(django_filters.IsoDateTimeFilter):
    """The rows before or after a moment, given as RFC 3339; without an offset it is read as UTC."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, validators=[MinValueValidator(EARLIEST), MaxValueValidator(LATEST)], **kwargs)


class LedgerFilterSet(django_filters.FilterSet):
    """Base of every filterset. `prefixes` are beginnings of parameter names whose rest is the client's to choose."""

    prefixes: tuple[str, ...] = ()


class StrictFilterBackend(DjangoFilterBackend):
    """django-filter that refuses what it does not know."""

    def filter_queryset(self, request: Any, queryset: QuerySet[Any], view: Any) -> QuerySet[Any]:
        """Return the rows that all given filters let through."""
        filterset = self.get_filterset_class(view, queryset)
        known = {*PAGE_PARAMETERS, "ordering", *(filterset.base_filters if filterset else ())}
        check_parameters(request, known, getattr(filterset, "prefixes", ()))
        rows: QuerySet[Any] = super().filter_queryset(request, queryset, view)
        return rows


class StableOrderingFilter(BaseFilterBackend):
    """Orders by one of the view's `orderings` (public name to column), always ending in the primary key."""

    def filter_queryset(self, request: Any, queryset: QuerySet[Any], view: Any) -> QuerySet[Any]:
        """Return the rows ordered as `ordering=` says, or by the view's `ordering`."""
        orderings = ordering_names(view)
        stated = request.query_params.get("ordering", view.ordering)
        sign, name = ("-", stated[1:]) if stated.startswith("-") else ("", stated)
        if name not in orderings:
            raise InvalidInput.at("/ordering", f"ordering is one of: {', '.join(orderings)}; with - for descending.")
        column = orderings[name]
        return (
            queryset.order_by(f"{sign}{column}")
            if column == "id"
            else queryset.order_by(f"{sign}{column}", f"{sign}id")
        )

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        """Describe `ordering=` for OpenAPI."""
        names = [signed for name in ordering_names(view) for signed in (name, f"-{name}")]
        schema = {"type": "string", "enum": names, "default": view.ordering}
        text = "By what the list is ordered; - is descending."
        return [{"name": "ordering", "in": "query", "required": False, "description": text, "schema": schema}]


def ordering_names(view: Any) -> dict[str, str]:
    """Return what the view's list may be ordered by: public name to column."""
    orderings = getattr(view, "orderings", {})
    return orderings if isinstance(orderings, dict) else {name: name for name in orderings}
