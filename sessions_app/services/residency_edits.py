"""Agents that staff release: the same as a release by the agent itself, with an audit entry."""

from datetime import datetime

from django.db import transaction

from config.shared.callers import Caller
from sessions_app.models import Session
from sessions_app.services.audit import audit_record
from sessions_app.services.residency import agent_release


@transaction.atomic
def residency_release(*, session: Session, caller: Caller, now: datetime) -> bool:
    """Release the session's agent, and audit that; return whether there was one. No data is touched."""
    released = agent_release(session=session, now=now)
    if released:
        audit_record(
            project_id=session.project_id,
            caller=caller,
            action="agent_residency.delete",
            target_type="session",
            target_id=session.session_id,
            now=now,
        )
    return released
