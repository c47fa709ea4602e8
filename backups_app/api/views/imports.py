"""Import runs, their findings, and what they brought: made by the command, read here."""

from typing import Any

from django.db.models import QuerySet
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_view

from backups_app.api.filters import ImportFindingFilterSet, ImportOriginFilterSet, ImportRunFilterSet
from backups_app.api.serializers import ImportFindingSerializer, ImportOriginSerializer, ImportRunSerializer
from backups_app.models import ImportFinding, ImportOrigin, ImportRun
from config.shared.api.routers import NUMBER
from config.shared.api.viewsets import KEEPERS, DestroyMixin, LedgerViewSet, ListMixin, RetrieveMixin
from config.shared.errors import NotFound
from sessions_app.services.staff_edits import row_delete


class ImportRunViewSet(ListMixin, RetrieveMixin, DestroyMixin, LedgerViewSet):
    """Runs of imports, newest first. Removing one removes its findings, and nothing that it brought in."""

    queryset = ImportRun.objects.all()
    serializer_class = ImportRunSerializer
    filterset_class = ImportRunFilterSet
    lookup_field = "id"
    lookup_value_regex = NUMBER
    ordering = "-started_at"
    orderings = ("started_at",)
    write_roles = KEEPERS

    def perform_destroy(self, row: ImportRun) -> None:
        """Remove the run."""
        row_delete(row=row, caller=self.caller, now=timezone.now())


_RUN = OpenApiParameter("run_id", OpenApiTypes.INT, OpenApiParameter.PATH)


@extend_schema_view(list=extend_schema(parameters=[_RUN]))
class ImportFindingViewSet(ListMixin, LedgerViewSet):
    """What one run found, in the order in which it was found."""

    queryset = ImportFinding.objects.all()
    serializer_class = ImportFindingSerializer
    filterset_class = ImportFindingFilterSet
    ordering = "id"
    orderings = ("id",)

    def get_queryset(self) -> QuerySet[Any]:
        """Return the findings of the run that the path names. Raises NotFound where it is not there."""
        rows = super().get_queryset()
        if getattr(self, "swagger_fake_view", False):
            return rows
        run = ImportRun.objects.visible_to(self.caller).filter(pk=self.kwargs["run_id"])
        if not run.exists():
            raise NotFound
        return rows.filter(run_id=self.kwargs["run_id"])


class ImportOriginViewSet(ListMixin, LedgerViewSet):
    """Where imported rows come from: run, source, file and line, and which time zone was assumed."""

    queryset = ImportOrigin.objects.select_related("run", "session").only(
        "path", "assumed_timezone", "records", "run", "run__source", "session", "session__session_id"
    )
    serializer_class = ImportOriginSerializer
    filterset_class = ImportOriginFilterSet
    ordering = "id"
    orderings = ("id",)
