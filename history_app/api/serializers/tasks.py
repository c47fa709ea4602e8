"""What the API takes and shows of tasks and subtasks."""

from config.shared.api.fields import IntegerValue, TextValue
from config.shared.api.serializers import LedgerSerializer
from history_app.api.serializers.facts import ToolCallListSerializer
from history_app.api.serializers.fields import ID_LENGTH, SessionName
from history_app.models import Subtask, Task

SUBTASK_CONTENTS = ("description", "expected_output", "actual_output", "context", "validation_report")
# PositiveIntegerField on PostgreSQL.
GREATEST_INDEX = 2**31 - 1


class SubtaskSerializer(LedgerSerializer):
    """One step of a task. `task` is the task's id; without an index it stands behind the others."""

    task = IntegerValue(source="task_id")
    subtask_index = IntegerValue(min_value=0, max_value=GREATEST_INDEX, required=False)

    class Meta:
        model = Subtask
        fields: tuple[str, ...] = (
            "id",
            "task",
            "subtask_index",
            "description",
            "expected_output",
            "actual_output",
            "status",
            "context",
            "validation_report",
            "created_at",
            "updated_at",
        )
        read_only_fields = ("created_at", "updated_at")
        masked_fields = SUBTASK_CONTENTS


class StepSerializer(SubtaskSerializer):
    """One step within its task; without an index it has its place in the list."""

    task = IntegerValue(source="task_id", read_only=True)


class TaskSerializer(LedgerSerializer):
    """One task with its subtasks, which are stated with it when it is created."""

    session_id = SessionName()
    record_id = TextValue(min_length=1, max_length=ID_LENGTH, required=False)
    subtasks = StepSerializer(many=True, required=False)

    class Meta:
        model = Task
        fields: tuple[str, ...] = (
            "id",
            "session_id",
            "record_id",
            "user_input",
            "status",
            "results",
            "metadata",
            "subtasks",
            "created_at",
            "updated_at",
        )
        read_only_fields = ("created_at", "updated_at")
        masked_fields = ("user_input", "results")


class TaskDetailSerializer(TaskSerializer):
    """One task with its subtasks and tool calls."""

    tool_calls = ToolCallListSerializer(many=True, read_only=True)

    class Meta(TaskSerializer.Meta):
        fields = (*TaskSerializer.Meta.fields, "tool_calls")
