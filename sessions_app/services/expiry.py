"""Expiry: sessions end when nothing happens in them for their time to live."""

from collections.abc import Collection
from datetime import datetime, timedelta

from django.conf import settings
from django.db import connection, transaction
from django.db.models import F
from django.db.models.functions import Greatest

from config.shared.retries import retried
from sessions_app.models import Event, Session, SessionActivity
from sessions_app.services.events import events_record

BATCH = 1000


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


def sessions_mark_expired(
    *, now: datetime, projects: Collection[int] | None = None, batch: int = BATCH, at_most: int | None = None
) -> int:
    """Mark the open sessions whose time has run out, and return how many; nothing is deleted.

    A session in which something was recorded since gets its new end instead: recording does not write to the
    session's own row. One in which something is being recorded at this moment is left alone. Works in bounded batches,
    each one transaction; safe to run twice at once. `projects` are the projects meant, None all of them; `at_most`
    ends the call after the batch that reaches it.
    """
    total = 0
    for status in Session.OPEN:
        floor, busy = None, set[int]()
        while (at_most is None or total < at_most) and len(busy) < batch:
            due = _due(status, now, projects, floor, busy, batch)
            if not due:
                break
            ended, left = _settled([pk for pk, _at in due], now)
            total, busy, floor = total + ended, busy | left, due[-1][1]
    return total


def _due(  # noqa: PLR0917 - the place in the sweep
    status: str,
    now: datetime,
    projects: Collection[int] | None,
    floor: datetime | None,
    busy: set[int],
    batch: int,
) -> list[tuple[int, datetime]]:
    rows = Session.objects.filter(status=status, expires_at__lte=now)
    if projects is not None:
        rows = rows.filter(project_id__in=projects)
    if floor is not None:
        rows = rows.filter(expires_at__gte=floor)
    return list(rows.exclude(pk__in=busy).order_by("expires_at").values_list("pk", "expires_at")[:batch])


def _settled(pks: list[int], now: datetime) -> tuple[int, set[int]]:
    """Settle one batch in a transaction; return how many ended, and which were left because somebody writes to them."""

    def settle() -> tuple[int, set[int]]:
        with transaction.atomic():
            activity = _locked_activity(pks)
            return _settle(activity, now), set(pks) - activity.keys()

    return retried(settle)


def _locked_activity(pks: list[int]) -> dict[int, datetime | None]:
    """Return the last activity of each session, under the lock that appends take; those that others hold are left out.

    A session without an activity row has None.
    """
    can_skip = connection.features.has_select_for_update_skip_locked
    rows = SessionActivity.objects.select_for_update(skip_locked=can_skip).filter(pk__in=pks).order_by("pk")
    found: dict[int, datetime | None] = dict(rows.values_list("pk", "last_activity_at"))
    if len(found) < len(pks):
        there = set(SessionActivity.objects.filter(pk__in=pks).values_list("pk", flat=True))
        found.update(dict.fromkeys(set(pks) - there))
    return found


def _settle(activity: dict[int, datetime | None], now: datetime) -> int:
    renewed, ended = [], []
    rows = Session.objects.expired_at(now).filter(pk__in=activity).only("status", "ttl_seconds", "expires_at")
    for session in rows:
        at = activity[session.pk]
        ends = expiry_after(ttl_seconds=session.ttl_seconds, status=session.status, now=at) if at else None
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
