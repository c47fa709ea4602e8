"""Sessions, their state, and the agents in memory."""

from typing import Any

from rest_framework import serializers

from config.shared.api.fields import BooleanValue, InstantValue, IntegerValue, TextValue
from config.shared.api.serializers import LedgerSerializer, StrictInput
from sessions_app.models import AgentResidency, Session, SessionState
from sessions_app.services.drafts import GREATEST_COUNT, max_length

ID_LENGTH = 255


class WorkflowName(TextValue):
    """The text id of a workflow, in place of the row."""

    needs_only_the_row = True

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=ID_LENGTH, **kwargs)

    def get_attribute(self, instance: Any) -> str | None:
        """Return the id of the workflow that the row names."""
        return instance.workflow.workflow_id if instance.workflow else None


class SessionName(TextValue):
    """The text id of a session, in place of the row."""

    needs_only_the_row = True

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=ID_LENGTH, **kwargs)

    def get_attribute(self, instance: Any) -> str | None:
        """Return the id of the session that the row names."""
        return instance.session.session_id if instance.session else None


class SessionSerializer(LedgerSerializer):
    """One session. `workflow` is the definition's id, and one that is not known yet is made."""

    session_id = TextValue(max_length=ID_LENGTH, required=False)
    workflow = WorkflowName(required=False, allow_null=True)
    last_activity_at = InstantValue(source="activity.last_activity_at", read_only=True)
    message_count = IntegerValue(source="activity.message_count", read_only=True)

    class Meta:
        model = Session
        fields = (
            "session_id",
            "user_id",
            "title",
            "status",
            "tags",
            "workflow",
            "workflow_config_path",
            "agent_config",
            "workflow_config",
            "metadata",
            "context",
            "settings",
            "thread_configs",
            "external_ids",
            "ttl_seconds",
            "expires_at",
            "last_activity_at",
            "message_count",
            "created_at",
            "updated_at",
            "version",
        )
        read_only_fields = ("expires_at", "created_at", "updated_at", "version")
        masked_fields = ("context",)


class BatchSessionSerializer(SessionSerializer):
    """One session of a batch, which names itself."""

    session_id = TextValue(max_length=ID_LENGTH)


class SessionBatchSerializer(StrictInput):
    """Sessions to be saved, all or none."""

    sessions = BatchSessionSerializer(many=True)


class SavedSessionSerializer(StrictInput):
    """What became of one session of a batch."""

    session_id = TextValue(source="session.session_id", read_only=True)
    version = IntegerValue(source="session.version", read_only=True)
    created = BooleanValue(read_only=True)


class SavedBatchSerializer(StrictInput):
    """What became of a batch, in its order."""

    sessions = SavedSessionSerializer(many=True, read_only=True)


class BatchDeleteSerializer(StrictInput):
    """The sessions to be deleted, all or none."""

    session_ids = serializers.ListField(child=TextValue(max_length=ID_LENGTH))


class BatchDeletedSerializer(StrictInput):
    """How many sessions were deleted."""

    deleted = IntegerValue(read_only=True)


class StateSerializer(LedgerSerializer):
    """One version of a session's state.

    `expected_version` says which version a write is meant for, as If-Match does; 0 is that there is none yet.
    """

    expected_version = IntegerValue(write_only=True, required=False, min_value=0, max_value=GREATEST_COUNT)

    class Meta:
        model = SessionState
        fields = (
            "current_step",
            "iteration_count",
            "max_iterations",
            "workflow_name",
            "start_time",
            "errors",
            "tool_results",
            "data",
            "version",
            "turn_id",
            "created_at",
            "expected_version",
        )
        read_only_fields = ("version", "turn_id", "created_at")
        masked_fields = ("errors", "tool_results", "data")


class RollbackSerializer(StrictInput):
    """Which version a rollback is meant for; 0 is that there is none yet."""

    expected_version = IntegerValue(required=False, min_value=0, max_value=GREATEST_COUNT)


class HeartbeatSerializer(StrictInput):
    """An agent that is in memory for a session, and its lease."""

    agent_id = TextValue(max_length=ID_LENGTH)
    host = TextValue(max_length=max_length(AgentResidency, "host"), required=False, default="", allow_blank=True)
    fence = IntegerValue(
        min_value=1,
        required=False,
        allow_null=True,
        help_text="The fencing token: send it back with each heartbeat, and with what the agent writes.",
    )
    resident_since = InstantValue(read_only=True)
    heartbeat_at = InstantValue(read_only=True)


class ResidencySerializer(StrictInput):
    """Which session has which agent in memory."""

    session_id = TextValue(source="session.session_id", read_only=True)
    agent_id = TextValue(source="lease.agent_id", read_only=True)
    host = TextValue(source="lease.host", read_only=True)
    fence = IntegerValue(source="lease.fence", read_only=True)
    resident_since = InstantValue(source="lease.resident_since", read_only=True)
    heartbeat_at = InstantValue(source="lease.heartbeat_at", read_only=True)
    idle = BooleanValue(source="is_idle", read_only=True)


class CleanupSerializer(serializers.Serializer[Any]):
    """What a clean-up did."""

    released = serializers.IntegerField(help_text="Idle agents that were released.")
    expired = serializers.IntegerField(help_text="Sessions that were marked as expired.")
    complete = serializers.BooleanField(help_text="false: there was more than one call does; call again.")


class SessionStatusSerializer(serializers.Serializer[Any]):
    """How many sessions there are, and how many agents are in memory."""

    total = serializers.IntegerField()
    by_status = serializers.DictField(child=serializers.IntegerField())
    expired = serializers.IntegerField(help_text="Marked as expired, or due to be.")
    resident_agents = serializers.IntegerField()
    idle_agents = serializers.IntegerField(help_text="Without a heartbeat for AGENT_IDLE_SECONDS.")
    residencies = ResidencySerializer(many=True, required=False, help_text="Only with detail=true: the newest 1000.")
