"""Workflows and their runs."""

from typing import Any

from django.http import HttpResponse
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request

from config.shared.api.routers import ANY_ID
from config.shared.api.viewsets import (
    KEEPERS,
    CreateMixin,
    DestroyMixin,
    LedgerViewSet,
    ListMixin,
    RetrieveMixin,
    SaveMixin,
)
from config.shared.errors import InvalidInput
from sessions_app.api.filters import WorkflowFilterSet, WorkflowRunFilterSet
from sessions_app.api.serializers.workflows import WorkflowRunSerializer, WorkflowSerializer
from sessions_app.drawing.workflows import POLICY, workflow_svg
from sessions_app.models import Workflow, WorkflowRun
from sessions_app.services.workflow_runs import (
    workflow_run_create,
    workflow_run_delete,
    workflow_run_save,
    workflow_run_update,
)
from sessions_app.services.workflows import workflow_create, workflow_delete, workflow_save, workflow_update


class WorkflowViewSet(ListMixin, CreateMixin, RetrieveMixin, SaveMixin, DestroyMixin, LedgerViewSet):
    """Workflow definitions: nodes and edges, and how they are drawn."""

    queryset = Workflow.objects.all()
    serializer_class = WorkflowSerializer
    filterset_class = WorkflowFilterSet
    lookup_field = "workflow_id"
    lookup_value_regex = ANY_ID
    write_roles = KEEPERS
    ordering = "-created_at"
    orderings = ("created_at",)
    action_parameters = {"graph": ("run",)}

    @extend_schema(
        parameters=[OpenApiParameter("run", OpenApiTypes.STR, description="Id of a run of the workflow to mark.")],
        responses={(200, "image/svg+xml"): OpenApiResponse(OpenApiTypes.STR, description="The picture.")},
    )
    @action(detail=True, methods=["get"], url_path=r"graph\.svg")
    def graph(self, request: Request, workflow_id: str) -> HttpResponse:
        """Draw the workflow's nodes and edges; of a run its states, its way, and the node it is at."""
        workflow = self.get_object()
        picture = workflow_svg(workflow, self._run_of(workflow, request.query_params.get("run")))
        headers = {"Content-Security-Policy": POLICY, "Cache-Control": "private, no-cache"}
        return HttpResponse(picture, content_type="image/svg+xml; charset=utf-8", headers=headers)

    @staticmethod
    def _run_of(workflow: Workflow, run_id: str | None) -> WorkflowRun | None:
        if run_id is None:
            return None
        run = workflow.runs.filter(run_id=run_id).first()
        if run is None:
            raise InvalidInput.at("/run", "The workflow has no run of this id.")
        return run

    def perform_create(self, values: dict[str, Any]) -> Workflow:
        """Make the definition of a POST."""
        workflow_id = values.pop("workflow_id")
        return workflow_create(
            project_id=self.project_id, workflow_id=workflow_id, values=values, now=timezone.now(), caller=self.caller
        )

    def perform_save(self, values: dict[str, Any]) -> tuple[Workflow, bool]:
        """Make or replace the definition of a PUT."""
        return workflow_save(
            project_id=self.project_id,
            workflow_id=self.path_id,
            values={"name": self.path_id, **values},
            now=timezone.now(),
            caller=self.caller,
        )

    def perform_update(self, row: Workflow, values: dict[str, Any]) -> Workflow:
        """Change the definition of a PATCH."""
        return workflow_update(workflow=row, values=values, merge=True, now=timezone.now(), caller=self.caller)

    def perform_destroy(self, row: Workflow) -> None:
        """Remove the definition with its runs."""
        workflow_delete(workflow=row, now=timezone.now(), caller=self.caller)


class WorkflowRunViewSet(ListMixin, CreateMixin, RetrieveMixin, SaveMixin, DestroyMixin, LedgerViewSet):
    """Workflow runs: what happened when a definition was followed."""

    queryset = WorkflowRun.objects.select_related("workflow", "session")
    serializer_class = WorkflowRunSerializer
    filterset_class = WorkflowRunFilterSet
    lookup_field = "run_id"
    lookup_value_regex = ANY_ID
    ordering = "-started_at"
    orderings = ("started_at",)

    def perform_create(self, values: dict[str, Any]) -> WorkflowRun:
        """Record the run of a POST."""
        return workflow_run_create(project_id=self.project_id, values=values, now=timezone.now())

    def completed(self, values: dict[str, Any]) -> dict[str, Any]:
        """Fill in the defaults, but never move the start of a run that is not stated."""
        defaults = super().completed({})
        defaults.pop("started_at", None)
        return {**defaults, **values}

    def perform_save(self, values: dict[str, Any]) -> tuple[WorkflowRun, bool]:
        """Record or replace the run of a PUT."""
        return workflow_run_save(project_id=self.project_id, run_id=self.path_id, values=values, now=timezone.now())

    def perform_update(self, row: WorkflowRun, values: dict[str, Any]) -> WorkflowRun:
        """Change the run of a PATCH."""
        return workflow_run_update(run=row, values=values, now=timezone.now(), merge=True)

    def perform_destroy(self, row: WorkflowRun) -> None:
        """Remove the run."""
        workflow_run_delete(run=row, now=timezone.now())
