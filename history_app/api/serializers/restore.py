"""How OpenAPI describes a session that an agent comes back to; the selector reads it as plain values."""

from typing import Any

from rest_framework import serializers

from config.shared.api.fields import InstantValue, IntegerValue, TextValue
from config.shared.api.serializers import LedgerSerializer
from history_app.models import Message, Subtask, Task, ToolCall
from history_app.selectors import restore_rows as rows
from sessions_app.models import KnowledgeSource, Session, SessionState, Workflow


def _shown(of: Any, names: tuple[str, ...], name: str, **more: Any) -> Any:
    """Return a serializer that shows these columns of a model."""
    meta = type("Meta", (), {"model": of, "fields": (*names, *more), "read_only_fields": names})
    return type(name, (LedgerSerializer,), {"__doc__": of.__doc__, "Meta": meta, **more})


class RestoredUserSerializer(serializers.Serializer):
    """The end user's preferences."""

    user_id = serializers.CharField()
    preferences = serializers.DictField()
    version = serializers.IntegerField()


class MissingSerializer(serializers.Serializer):
    """One thing that is not there, by name."""

    part = serializers.CharField()
    name = serializers.CharField()
    reason = serializers.CharField()


class VerdictSerializer(serializers.Serializer):
    """Whether the bundle is complete, and what is missing."""

    complete = serializers.BooleanField()
    missing = MissingSerializer(many=True)


_SESSION = _shown(
    Session,
    rows.SESSION_FIELDS,
    "RestoredSessionSerializer",
    workflow=TextValue(allow_null=True, read_only=True),
    message_count=IntegerValue(read_only=True),
    last_activity_at=InstantValue(read_only=True),
)
_STEP = _shown(Subtask, rows.SUBTASK_FIELDS, "RestoredSubtaskSerializer")
_TASK = _shown(Task, rows.TASK_FIELDS, "RestoredTaskSerializer", subtasks=_STEP(many=True))
_MESSAGE_NAMES = ("id", "record_id", "timestamp", "sequence", "role", "content", "metadata")


class RestoreSerializer(serializers.Serializer):
    """All that an agent needs to come back."""

    session = _SESSION()
    state = _shown(SessionState, rows.STATE_FIELDS, "RestoredStateSerializer")(allow_null=True)
    messages = _shown(Message, _MESSAGE_NAMES, "RestoredMessageSerializer")(many=True)
    open_tasks = _TASK(many=True)
    pending_tool_calls = _shown(ToolCall, rows.CALL_FIELDS, "PendingCallSerializer")(many=True)
    user = RestoredUserSerializer(allow_null=True)
    workflow = _shown(Workflow, rows.WORKFLOW_FIELDS, "RestoredWorkflowSerializer")(allow_null=True)
    knowledge_sources = _shown(KnowledgeSource, rows.SOURCE_FIELDS, "RestoredSourceSerializer")(many=True)
    verdict = VerdictSerializer()
