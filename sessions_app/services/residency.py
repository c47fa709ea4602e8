"""Residency: which session has its agent in memory right now."""

from datetime import datetime

from django.db import IntegrityError, transaction
from django.db.models import F
from django.db.models.functions import Greatest

from sessions_app.models import AgentResidency, Session
from sessions_app.services.expiry import session_touch


def agent_heartbeat(*, session: Session, agent_id: str, host: str, now: datetime) -> AgentResidency:
    """Note that the session's agent is in memory, and renew the session's sliding expiry.

    An agent of another id takes the place of the one before it.
    """
    try:
        return _beat(session, agent_id, host, now)
    except IntegrityError:
        # Two first heartbeats at once: the other one made the row, so now it is there to be renewed.
        return _beat(session, agent_id, host, now)


@transaction.atomic
def _beat(session: Session, agent_id: str, host: str, now: datetime) -> AgentResidency:
    session_touch(session=session, now=now)
    same_agent = AgentResidency.objects.filter(pk=session.pk, agent_id=agent_id)
    # The clocks of two servers differ: a heartbeat never lies before the start that another one wrote.
    if not same_agent.update(host=host, heartbeat_at=Greatest(F("resident_since"), now)):
        newcomer = {"agent_id": agent_id, "host": host, "resident_since": now, "heartbeat_at": now}
        if not AgentResidency.objects.filter(pk=session.pk).update(**newcomer):
            return AgentResidency.objects.create(session=session, **newcomer)
    return AgentResidency.objects.get(pk=session.pk)


def agent_release(*, session: Session) -> bool:
    """Note that the session's agent left memory; return whether there was one. No data of the session is touched."""
    deleted, _by_model = AgentResidency.objects.filter(pk=session.pk).delete()
    return bool(deleted)
