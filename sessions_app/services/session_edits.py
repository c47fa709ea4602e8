"""Sessions as staff edit them: whole documents instead of patches, and an audit entry for each change."""

from datetime import datetime

from django.db import transaction

from config.shared.callers import Caller
from config.shared.errors import NotFound
from config.shared.ids import uuid7
from sessions_app.models import Event, Session, SessionActivity
from sessions_app.services.events import session_event
from sessions_app.services.labels import labels_replace
from sessions_app.services.lifecycle import status_change_check
from sessions_app.services.locks import session_locked
from sessions_app.services.staff_edits import row_create, row_update

_LABELLED = {"tags", "metadata"}


@transaction.atomic
def session_add(*, session: Session, caller: Caller, now: datetime) -> Session:
    """Store a new session with its activity and labels, under a UUIDv7 when it has no id.

    It expires when its own `expires_at` says so.
    """
    session.session_id = session.session_id or uuid7()
    row_create(row=session, caller=caller, now=now)
    SessionActivity.objects.create(session=session, last_activity_at=now)
    labels_replace(sessions=[session], are_new=True)
    session_event(session=session, kind=Event.Kind.SESSION_CREATED, now=now)
    return session


@transaction.atomic
def session_edit(*, session: Session, changed: list[str], caller: Caller, now: datetime) -> Session:
    """Store the named fields as the next version.

    Raises StaleVersion when the session has moved on, NotFound when it is gone, Conflict for a status that cannot
    follow the stored one.
    """
    stored = session_locked(pk=session.pk)
    if stored is None:
        raise NotFound
    if "status" in changed:
        status_change_check(current=stored.status, wanted=session.status)
    row_update(row=session, changed=changed, caller=caller, now=now)
    if _LABELLED & set(changed):
        labels_replace(sessions=[session])
    session_event(session=session, kind=Event.Kind.SESSION_UPDATED, now=now)
    return session
