"""A session and its state as documents, with the names of the API's fields."""

from typing import Any

from sessions_app.models import Session, SessionState

Document = dict[str, Any]
SESSION_FIELDS = (
    *("session_id", "user_id", "title", "status", "tags", "workflow_config_path", "agent_config", "workflow_config"),
    *("metadata", "context", "settings", "thread_configs", "external_ids", "ttl_seconds", "expires_at"),
    *("created_at", "updated_at", "version"),
)
STATE_FIELDS = (
    *("current_step", "iteration_count", "max_iterations", "workflow_name", "start_time", "errors", "tool_results"),
    *("data", "version", "turn_id", "created_at"),
)
# What roles that see contents masked do not see.
SESSION_CONTENTS = ("context",)
STATE_CONTENTS = ("errors", "tool_results", "data")


def session_form(session: Session) -> Document:
    """Return the session; `workflow` is the definition's id."""
    row = Session.objects.select_related("workflow", "activity").get(pk=session.pk)
    activity = getattr(row, "activity", None)
    return {
        **{name: getattr(row, name) for name in SESSION_FIELDS},
        "workflow": row.workflow.workflow_id if row.workflow else None,
        "last_activity_at": activity.last_activity_at if activity else None,
        "message_count": activity.message_count if activity else 0,
    }


def state_form(session: Session) -> Document | None:
    """Return the session's current state, None where it has none."""
    state = SessionState.objects.filter(session=session).order_by("-version").first()
    return None if state is None else {name: getattr(state, name) for name in STATE_FIELDS}
