"""Admin of workflows and their runs."""

from collections.abc import Iterable
from typing import Any

from django.contrib import admin
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from config.shared.admin.badges import STATUS_COLOURS, status_label
from config.shared.admin.base import LedgerModelAdmin
from config.shared.admin.filters import period_filter
from config.shared.callers import Caller
from sessions_app.drawing.workflows import workflow_svg
from sessions_app.models import Workflow, WorkflowRun
from sessions_app.services.workflow_runs import workflow_run_create, workflow_run_delete, workflow_run_update
from sessions_app.services.workflows import workflow_create, workflow_delete, workflow_update

DEFINITION = ("nodes", "edges", "config", "node_positions", "layout_algorithm", "visualization_settings")
RUN_VALUES = (
    "run_id",
    "workflow",
    "session",
    "status",
    "current_node",
    "started_at",
    "finished_at",
    "execution_time",
    "execution_path",
    "node_states",
    "performance_metrics",
    "metadata",
)
VALUES = ("name", "description", "version", "config_path", "loaded_at", "created_at", *DEFINITION)


def _drawn(workflow: Workflow, run: WorkflowRun | None = None) -> SafeString:
    """The picture within the page, which may be wider than the page is."""
    # Whoever draws it escapes every text.
    picture = mark_safe(workflow_svg(workflow, run))  # noqa: S308
    return format_html('<div class="ledger-picture">{}</div>', picture)


@admin.register(Workflow)
class WorkflowAdmin(LedgerModelAdmin):
    """Workflow definitions."""

    time_field = "created_at"
    list_display = ("name", "workflow_id", "version", "usage_count", "last_used_at", "created_at")
    list_only = ("name", "workflow_id", "version", "usage_count", "last_used_at", "created_at")
    search_fields = ("^workflow_id", "name")
    search_help_text = _("Beginning of a workflow id, or part of a name")
    autocomplete_fields = ("project",)
    identity_fields = ("project", "workflow_id")
    readonly_fields = ("graph", "usage_count", "last_used_at", "updated_at")
    fieldsets = (
        (None, {"fields": ("project", "workflow_id", "name", "description", "version", "config_path")}),
        (_("Graph"), {"fields": ("graph",)}),
        (_("Use"), {"fields": ("usage_count", "last_used_at", "loaded_at", "created_at", "updated_at")}),
        (_("Definition"), {"fields": ("nodes", "edges", "config"), "classes": ("tab",)}),
        (
            _("Drawing"),
            {"fields": ("node_positions", "layout_algorithm", "visualization_settings"), "classes": ("tab",)},
        ),
    )

    @display(description=_("graph"))
    def graph(self, row: Workflow) -> SafeString | str:
        """The nodes and edges as a picture."""
        return _drawn(row) if row.pk else "-"

    def row_create(self, row: Workflow, caller: Caller) -> Workflow:
        values = {name: getattr(row, name) for name in VALUES}
        return workflow_create(
            project_id=row.project_id, workflow_id=row.workflow_id, values=values, caller=caller, now=timezone.now()
        )

    def row_update(self, row: Workflow, changed: list[str], caller: Caller) -> None:
        values = {name: getattr(row, name) for name in changed}
        workflow_update(workflow=row, values=values, caller=caller, now=timezone.now())

    def row_delete(self, row: Workflow, caller: Caller) -> None:
        workflow_delete(workflow=row, caller=caller, now=timezone.now())


@admin.register(WorkflowRun)
class WorkflowRunAdmin(LedgerModelAdmin):
    """What happened when workflows were followed."""

    time_field = "started_at"
    list_display = ("run_id", "workflow", "shown_status", "current_node", "execution_time", "started_at", "finished_at")
    list_filter = ("status", period_filter("started_at", _("started")))
    list_select_related = ("workflow",)
    list_only = (
        "run_id",
        "status",
        "current_node",
        "execution_time",
        "started_at",
        "finished_at",
        "workflow__name",
    )
    search_fields = ("^run_id", "^session__session_id")
    search_help_text = _("Beginning of a run id or session id")
    autocomplete_fields = ("project", "workflow")
    raw_id_fields = ("session",)
    identity_fields = ("project", "run_id", "workflow")
    readonly_fields = ("graph",)
    fieldsets = (
        (None, {"fields": ("project", "run_id", "workflow", "session", "status", "current_node")}),
        (_("Graph"), {"fields": ("graph",)}),
        (_("Times"), {"fields": ("started_at", "finished_at", "execution_time")}),
        (_("Path"), {"fields": ("execution_path", "node_states", "performance_metrics", "metadata")}),
    )

    @display(description=_("status"), label=STATUS_COLOURS)
    def shown_status(self, row: WorkflowRun) -> tuple[str, Any]:
        """The status as a badge."""
        return status_label(row, "status")

    @display(description=_("graph"))
    def graph(self, row: WorkflowRun) -> SafeString | str:
        """The workflow as a picture, with the states of its nodes, the way taken, and the node where the run is."""
        return _drawn(row.workflow, row) if row.pk else "-"

    def row_create(self, row: WorkflowRun, caller: Caller) -> WorkflowRun:
        return workflow_run_create(
            project_id=row.project_id, values=self._values(row, RUN_VALUES), caller=caller, now=timezone.now()
        )

    def row_update(self, row: WorkflowRun, changed: list[str], caller: Caller) -> None:
        values = self._values(row, changed)
        workflow_run_update(run=row, values=values, merge=False, caller=caller, now=timezone.now())

    def row_delete(self, row: WorkflowRun, caller: Caller) -> None:
        workflow_run_delete(run=row, caller=caller, now=timezone.now())

    @staticmethod
    def _values(row: WorkflowRun, names: Iterable[str]) -> dict[str, Any]:
        """The values as the service takes them: the workflow and the session by their text ids."""
        values = {name: getattr(row, name) for name in names}
        if "workflow" in values:
            values["workflow"] = row.workflow.workflow_id
        if "session" in values:
            values["session_id"] = row.session.session_id if values.pop("session") else None
        return values
