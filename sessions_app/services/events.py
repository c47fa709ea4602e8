"""Events: written in the transaction of what happened, pruned when nobody needs them any more."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from itertools import chain
from typing import Any

from django.conf import settings
from django.db import connection

from sessions_app.models import Event, Session
from sessions_app.models.events import EventQuerySet

# Without the ORM, which takes as long for an event as the recording of a message does: recording waits for them.
_COLUMNS = ("project_id", "kind", "subject", "payload", "created_at")
_INSERT = f"INSERT INTO {Event._meta.db_table} ({', '.join(_COLUMNS)}) VALUES "  # noqa: S608 - names of the model
_ROW = f"({', '.join(['%s'] * len(_COLUMNS))})"
ROWS_PER_STATEMENT = 100
ROWS_PER_PRUNE = 1000
# What webhooks send is a hint to look; the thing itself is read through the API.
_SUBJECT_LENGTH = 255


def event_record(
    *, project_id: int | None, kind: str, subject: str, now: datetime, payload: Mapping[str, Any] | None = None
) -> None:
    """Note that something happened, in the caller's transaction: one insert. `payload` is small and holds no secret."""
    events_record(project_id=project_id, kind=kind, subjects=[(subject, payload)], now=now)


def events_record(
    *,
    project_id: int | None,
    kind: str,
    subjects: Iterable[tuple[str, Mapping[str, Any] | None]],
    now: datetime,
) -> None:
    """Note that the same happened to many, each a pair of id and payload, in one statement for a hundred of them."""
    prepare = Event._meta.get_field("payload").get_prep_value
    at = connection.ops.adapt_datetimefield_value(now)
    rows = [
        (project_id, kind, subject[:_SUBJECT_LENGTH], prepare(dict(payload or {})), at) for subject, payload in subjects
    ]
    with connection.cursor() as cursor:
        for start in range(0, len(rows), ROWS_PER_STATEMENT):
            some = rows[start : start + ROWS_PER_STATEMENT]
            cursor.execute(_INSERT + ", ".join([_ROW] * len(some)), list(chain.from_iterable(some)))


def session_event(*, session: Session, kind: str, now: datetime) -> None:
    """Note that something happened to a session, with the version and status that it has now."""
    payload = {"status": session.status, "version": session.version}
    event_record(project_id=session.project_id, kind=kind, subject=session.session_id, payload=payload, now=now)


def events_prune(*, now: datetime, batch: int = ROWS_PER_PRUNE) -> int:
    """Forget events delivered more than EVENT_DAYS ago, and those waiting for longer; return how many.

    Works in bounded batches, each a transaction of its own; safe to run twice at once.
    """
    before = now - timedelta(days=settings.EVENT_DAYS)
    delivered = Event.objects.filter(delivered_at__lt=before).order_by("delivered_at")
    return _pruned(delivered, before, batch) + _pruned(Event.objects.waiting(), before, batch)


def _pruned(rows: EventQuerySet, before: datetime, batch: int) -> int:
    """Delete old rows from the beginning of `rows` on, up to the first batch that holds none: they lie in order."""
    total = 0
    while True:
        beginning = rows.values_list("pk", "created_at")[:batch]
        old = [pk for pk, created_at in beginning if created_at < before]
        if not old:
            return total
        total += Event.objects.filter(pk__in=old).delete()[0]
