"""The state as staff put it right: back to an earlier version, with an audit entry."""

from datetime import datetime

from django.db import transaction

from config.shared.callers import Caller
from config.shared.retries import retried
from sessions_app.models import Session, SessionState
from sessions_app.services.audit import audit_record
from sessions_app.services.states import state_rollback


def state_return(
    *, session: Session, version: int, expected_version: int, caller: Caller, now: datetime
) -> SessionState:
    """Make a checkpoint the current state again and audit that. Raises as `state_rollback` does."""

    def write() -> SessionState:
        with transaction.atomic():
            state = state_rollback(session=session, version=version, now=now, expected_version=expected_version)
            audit_record(
                project_id=session.project_id,
                caller=caller,
                action="state.rollback",
                target_type="session",
                target_id=session.session_id,
                changes={"version": [expected_version, state.version], "returned_to": version},
                now=now,
            )
            return state

    return retried(write)
