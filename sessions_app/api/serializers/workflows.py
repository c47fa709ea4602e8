"""Workflows and their runs."""

from config.shared.api.fields import TextValue
from config.shared.api.serializers import LedgerSerializer
from sessions_app.api.serializers.sessions import ID_LENGTH, SessionName, WorkflowName
from sessions_app.models import Workflow, WorkflowRun


class WorkflowSerializer(LedgerSerializer):
    """One workflow definition."""

    workflow_id = TextValue(max_length=ID_LENGTH)
    name = TextValue(max_length=ID_LENGTH, required=False)

    class Meta:
        model = Workflow
        fields = (
            "workflow_id",
            "name",
            "description",
            "version",
            "config_path",
            "nodes",
            "edges",
            "config",
            "node_positions",
            "layout_algorithm",
            "visualization_settings",
            "usage_count",
            "loaded_at",
            "last_used_at",
            "created_at",
            "updated_at",
        )
        read_only_fields = ("usage_count", "last_used_at", "created_at", "updated_at")


class WorkflowRunSerializer(LedgerSerializer):
    """One run of a workflow. `workflow` and `session_id` are the text ids."""

    run_id = TextValue(max_length=ID_LENGTH, required=False)
    workflow = WorkflowName()
    session_id = SessionName(required=False, allow_null=True)

    class Meta:
        model = WorkflowRun
        fields = (
            "run_id",
            "workflow",
            "session_id",
            "status",
            "execution_path",
            "node_states",
            "current_node",
            "execution_time",
            "performance_metrics",
            "metadata",
            "started_at",
            "finished_at",
        )
