"""Heartbeats: an agent takes a session, keeps it, and lets it go."""

from contextlib import AbstractContextManager, nullcontext
from datetime import datetime

from django.conf import settings
from django.db import transaction
from django.utils.module_loading import import_string

from config.shared.errors import NotFound
from sessions_app.models import Event, Session, SessionActivity
from sessions_app.services.events import session_event
from sessions_app.services.expiry import session_touch
from sessions_app.services.locks import fence_check
from sessions_app.services.residency.leases import Lease, LeaseStore, lease_store


def agent_heartbeat(*, session: Session, agent_id: str, host: str, now: datetime, fence: int | None = None) -> Lease:
    """Note that the session's agent is in memory, renew the session's sliding expiry, and return the agent's lease.

    With `fence`, the token of the agent's own lease, the lease goes on (under a new token where it had ended and nobody
    has taken the session since); raises FencedOff when somebody has. Without it the agent takes the session: its lease
    gets the next token, and the lease before it is over. Raises Unavailable while the store of leases is away, NotFound
    when the session is gone.
    """
    store = lease_store()
    with _scope(store):
        if fence is not None:
            _hold(session, now, fence)
            place = {"session_pk": session.pk, "project_id": session.project_id}
            lease = store.renew(**place, fence=fence, host=host, now=now)
            if lease is not None:
                return lease
        token = _next_token(session, now, fence)
        return store.put(Lease(session.pk, session.project_id, agent_id, host, token, now, now))


def agent_release(*, session: Session, now: datetime, fence: int | None = None) -> bool:
    """Note that the session's agent left memory; return whether there was one. No data of the session is touched.

    With `fence` only the lease with that token ends; raises FencedOff when it is not the newest one. Raises Unavailable
    while the store of leases is away.
    """
    newest = SessionActivity.objects.filter(pk=session.pk).values_list("last_fence", flat=True).first()
    fence_check(newest=newest or 0, fence=fence)
    store = lease_store()
    with _scope(store):
        released = store.release(session_pk=session.pk, project_id=session.project_id, fence=fence)
        if released:
            session_event(session=session, kind=Event.Kind.SESSION_RELEASED, now=now)
    return released


def _scope(store: LeaseStore) -> AbstractContextManager[None]:
    """One transaction for token and lease where both are in the database; no lock is held while Redis is asked."""
    return transaction.atomic() if store.is_transactional else nullcontext()


@transaction.atomic
def _hold(session: Session, now: datetime, fence: int) -> None:
    """Renew the session's expiry, if this token is the newest."""
    fence_check(newest=_locked_fence(session), fence=fence)
    session_touch(session=session, now=now)


@transaction.atomic
def _next_token(session: Session, now: datetime, fence: int | None) -> int:
    """Give out the session's next token. With `fence`, only if that is still the newest."""
    newest = _locked_fence(session)
    fence_check(newest=newest, fence=fence)
    # Beginning with the clock keeps tokens apart even from those of a deleted session of the same id.
    token = max(newest + 1, int(now.timestamp() * 1000))
    SessionActivity.objects.filter(pk=session.pk).update(last_fence=token)
    session_touch(session=session, now=now)
    return token


def _locked_fence(session: Session) -> int:
    rows = SessionActivity.objects.select_for_update().filter(pk=session.pk).values_list("last_fence", flat=True)
    found = list(rows)
    if not found:
        if not Session.objects.kept().filter(pk=session.pk).exists():
            raise NotFound
        _make_activity(session)
        found = list(rows.all())
    return int(found[0])


def _make_activity(session: Session) -> None:
    """Give a session that was loaded past the services its counters, numbered on from the messages that it has."""
    numbers = import_string(settings.AGENTLEDGER_NUMBERS_FUNCTION)([session.pk])
    last, count = numbers.get(session.pk, (0, 0))
    made = SessionActivity(
        session_id=session.pk, last_activity_at=session.created_at, last_sequence=last, message_count=count
    )
    SessionActivity.objects.bulk_create([made], ignore_conflicts=True)
