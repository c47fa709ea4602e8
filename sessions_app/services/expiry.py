"""Expiry: sessions end when nothing happens in them for their time to live."""

from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.db.models.functions import Greatest

from sessions_app.models import Event, Session, SessionActivity
from sessions_app.services.events import events_record


def expiry_after(*, ttl_seconds: int | None, status: str, now: datetime) -> datetime | None:
    """Return when a session that is alive at `now` ends: after its own ttl, or SESSION_TTL; 0 is never."""
    ttl = settings.SESSION_TTL if ttl_seconds is None else ttl_seconds
    return now + timedelta(seconds=ttl) if ttl and status in Session.OPEN else None


@transaction.atomic
def session_touch(*, session: Session, now: datetime) -> None:
    """Note that something happened in the session, and renew its sliding expiry. Its version stays what it is."""
    SessionActivity.objects.filter(pk=session.pk).update(last_activity_at=Greatest(F("last_activity_at"), now))
    ends = expiry_after(ttl_seconds=session.ttl_seconds, status=session.status, now=now)
    if ends is not None:
        Session.objects.open().filter(pk=session.pk).update(expires_at=ends)


def sessions_mark_expired(*, now: datetime, batch: int = 1000) -> int:
    """Mark the open sessions whose time has run out, and return how many.

    A session in which something was recorded since gets its new end instead: recording does not write to the
    session's own row. Works in bounded batches, each one transaction; safe to run twice at once.
    """
    total = 0
    while found := _due(now, batch):
        total += _settle(found, now)
    return total


def _due(now: datetime, batch: int) -> list[Session]:
    rows = Session.objects.expired_at(now).select_related("activity")
    return list(
        rows.only("status", "ttl_seconds", "expires_at", "activity__last_activity_at").order_by("expires_at")[:batch]
    )


@transaction.atomic
def _settle(found: list[Session], now: datetime) -> int:
    renewed, ended = [], []
    for session in found:
        ends = _end(session)
        if ends is not None and ends > now:
            session.expires_at = ends
            renewed.append(session)
        else:
            ended.append(session.pk)
    Session.objects.bulk_update(renewed, ["expires_at"], batch_size=200)
    still_due = Session.objects.expired_at(now).select_for_update().filter(pk__in=ended).order_by("pk")
    over = list(still_due.only("project_id", "session_id", "version"))
    rows = Session.objects.filter(pk__in=[session.pk for session in over])
    rows.update(status=Session.Status.EXPIRED, updated_at=now, version=F("version") + 1)
    _tell(over, now)
    return len(over)


def _tell(over: list[Session], now: datetime) -> None:
    of_project: dict[int, list[tuple[str, None]]] = {}
    for session in over:
        of_project.setdefault(session.project_id, []).append((session.session_id, None))
    for project_id, names in of_project.items():
        events_record(project_id=project_id, kind=Event.Kind.SESSION_EXPIRED, subjects=names, now=now)


def _end(session: Any) -> datetime | None:
    activity = getattr(session, "activity", None)
    if activity is None:
        return None
    return expiry_after(ttl_seconds=session.ttl_seconds, status=session.status, now=activity.last_activity_at)
