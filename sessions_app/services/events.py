"""Events: written in the transaction of what happened, pruned when nobody needs them any more."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings

from sessions_app.models import Event, Session
from sessions_app.models.events import EventQuerySet

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
    rows = [
        Event(
            project_id=project_id,
            kind=kind,
            subject=subject[:_SUBJECT_LENGTH],
            payload=dict(payload or {}),  # type: ignore[misc]
            created_at=now,
        )
        for subject, payload in subjects
    ]
    Event.objects.bulk_create(rows, batch_size=ROWS_PER_STATEMENT)


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
