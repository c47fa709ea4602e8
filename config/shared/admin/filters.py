"""List filters that an index serves."""

from datetime import timedelta
from typing import Any

from django.contrib.admin import SimpleListFilter
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import TextFilter

from config.shared.admin.callers import project_choices


class ProjectFilter(SimpleListFilter):
    """Rows of one project; offered only to those who see several."""

    title = _("project")
    parameter_name = "project"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Offer the projects that the member of staff may see."""
        choices = project_choices(request)
        return [(str(pk), slug) for pk, slug in choices] if len(choices) > 1 else []

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet | None:
        """Filter by the project's column, wherever it stands."""
        chosen = next((pk for pk, _slug in project_choices(request) if str(pk) == self.value()), None)
        return None if chosen is None else queryset.filter(**{self.project_path: chosen})

    def __init__(self, request: HttpRequest, params: dict, model: type[Model], model_admin: Any) -> None:
        self.project_path = model_admin.project_path
        super().__init__(request, params, model, model_admin)


def period_filter(field: str, label: Any) -> type[SimpleListFilter]:
    """Return a filter by how long ago `field` was."""

    class PeriodFilter(SimpleListFilter):
        title = label
        parameter_name = f"{field}_within"

        def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
            return [
                ("1", _("past 24 hours")),
                ("7", _("past 7 days")),
                ("30", _("past 30 days")),
                ("365", _("past year")),
            ]

        def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet | None:
            if self.value() not in {"1", "7", "30", "365"}:
                return None
            return queryset.filter(**{f"{field}__gte": timezone.now() - timedelta(days=int(self.value()))})

    return PeriodFilter


def exact_filter(field: str, label: Any) -> type[TextFilter]:
    """Return a filter by the whole text of an indexed field, typed in."""

    class ExactFilter(TextFilter):
        title = label
        parameter_name = f"{field}_is"

        def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet | None:
            text = (self.value() or "").replace("\x00", "")
            return queryset.filter(**{field: text}) if text else None

    return ExactFilter
