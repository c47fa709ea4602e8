"""Expiry: sessions end when nothing happens in them for their time to live."""

from collections import defaultdict
from collections.abc import Collection
from datetime import datetime, timedelta

from django.conf import settings
from django.db import connection, transaction
from django.db.models import F, OuterRef, Subquery
from django.db.models.functions import Greatest

from config.shared.retries import retried
from sessions_app.models import Event, Session, SessionActivity
from sessions_app.services.events import events_record
from sessions_app.services.pace import Pace

# At most: so many that the statements' own cost does not count. A busy machine takes fewer (`Pace`).
BATCH = 250


def expiry_after(*, ttl_seconds: int | None, status: str, now: datetime) -> datetime | None:
    """Return when a session that is alive at `now` ends: after its own ttl, or SESSION_TTL; 0 is never."""
    lives = _lifetime(ttl_seconds)
    return now + lives if lives and status in Session.OPEN else None


def _lifetime(ttl_seconds: int | None) -> timedelta:
    return timedelta(seconds=settings.SESSION_TTL if ttl_seconds is None else ttl_seconds)


@transaction.atomic
def session_touch(*, session: Session, now: datetime) -> None:
    """Note that something happened in the session, and renew its sliding expiry. Its version stays what it is."""
    SessionActivity.objects.filter(pk=session.pk).update(last_activity_at=Greatest(F("last_activity_at"), now))
    ends = expiry_after(ttl_seconds=session.ttl_seconds, status=session.status, now=now)
    if ends is not None:
        Session.objects.open().filter(pk=session.pk).update(expires_at=ends)


def sessions_mark_expired(
    *,
    now: datetime,
    projects: Collection[int] | None = None,
    batch: int = BATCH,
    at_most: int | None = None,
    share: float = 1.0,
) -> int:
    """Mark the open sessions whose time has run out, and return how many; nothing is deleted.

    A session in which something was recorded since gets its new end instead: recording does not write to the
    session's own row. One in which something is being recorded at this moment is left alone. Works in batches, each one
    transaction, of at most `batch` sessions, and fewer where it lasts long; safe to run twice at once. `projects` are
    the projects meant, None all of them; `at_most` ends the call after the batch that reaches it. `share` is the part
    of the time that the call is at work: after each batch it rests so long that others get on meanwhile.
    """
    total, pace = 0, Pace(share, batch)
    for status in Session.OPEN:
        floor, busy = None, set[int]()
        while (at_most is None or total < at_most) and len(busy) < batch:
            due = _due(status, now, projects, floor, busy, pace.size)
            if not due:
                break
            ended, left = _settled([pk for pk, _at in due], now, pace)
            total, busy, floor = total + ended, busy | left, due[-1][1]
            pace.rest()
    return total


def _due(  # noqa: PLR0917 - the place in the sweep
    status: str,
    now: datetime,
    projects: Collection[int] | None,
    floor: datetime | None,
    busy: set[int],
    limit: int,
) -> list[tuple[int, datetime]]:
    rows = Session.objects.filter(status=status, expires_at__lte=now)
    if projects is not None:
        rows = rows.filter(project_id__in=projects)
    if floor is not None:
        rows = rows.filter(expires_at__gte=floor)
    return list(rows.exclude(pk__in=busy).order_by("expires_at").values_list("pk", "expires_at")[:limit])


def _settled(pks: list[int], now: datetime, pace: Pace) -> tuple[int, set[int]]:
    """Settle one batch in a transaction; return how many ended, and which were left because somebody writes to them."""

    def settle() -> tuple[int, set[int]]:
        with pace.at_work():
            locked = _locked(pks)
            over = _settle(locked, now)
            _tell(over, now)
            return len(over), set(pks) - set(locked)

    return retried(settle)


def _locked(pks: list[int]) -> dict[int, datetime | None]:
    """Take the lock that appends take; return when something last happened in the sessions, but for those others hold.

    A session without an activity row has no such lock, and nothing has happened in it.
    """
    can_skip = connection.features.has_select_for_update_skip_locked
    rows = SessionActivity.objects.filter(pk__in=pks).order_by("pk").values_list("pk", "last_activity_at")
    held: dict[int, datetime | None] = dict(rows.select_for_update(skip_locked=can_skip))
    if len(held) < len(pks):
        held |= dict.fromkeys(set(pks) - {pk for pk, _at in rows})
    return held


def _settle(active_at: dict[int, datetime | None], now: datetime) -> list[Session]:
    """Give the sessions that live on their new end, and end the others; return those.

    The rows are found by their keys alone. Asked for what is due as well, PostgreSQL may read all that is due for each
    batch: its statistics are older than the sessions' end.
    """
    rows = Session.objects.filter(pk__in=active_at).select_for_update().order_by("pk")
    living, over = defaultdict(list), []
    for session in rows.only("project_id", "session_id", "status", "expires_at", "ttl_seconds"):
        if session.status not in Session.OPEN or session.expires_at is None or session.expires_at > now:
            continue
        lives, at = _lifetime(session.ttl_seconds), active_at[session.pk]
        if lives and at is not None and at + lives > now:
            living[lives].append(session.pk)
        else:
            over.append(session)
    last = SessionActivity.objects.filter(pk=OuterRef("pk")).values("last_activity_at")
    for lives, pks in living.items():
        # A statement for each time to live; rows of one batch seldom have many.
        Session.objects.filter(pk__in=pks).update(expires_at=Subquery(last) + lives)
    ended = Session.objects.filter(pk__in=[session.pk for session in over])
    ended.update(status=Session.Status.EXPIRED, updated_at=now, version=F("version") + 1)
    return over


def _tell(over: list[Session], now: datetime) -> None:
    of_project: dict[int, list[tuple[str, None]]] = {}
    for session in over:
        of_project.setdefault(session.project_id, []).append((session.session_id, None))
    for project_id, names in of_project.items():
        events_record(project_id=project_id, kind=Event.Kind.SESSION_EXPIRED, subjects=names, now=now)
