"""Sessions in other systems: noted in the transaction that deletes theirs here, and tried until they are deleted."""

from collections.abc import Callable
from datetime import datetime, timedelta

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import F

from config.shared.callers import Caller
from sessions_app.models import ExternalDeletion, Session
from sessions_app.services.audit import audit_record
from sessions_app.services.connectors.base import ConnectorError
from sessions_app.services.connectors.registry import connector_load, connector_names

logger = structlog.get_logger(__name__)

FIRST_PAUSE = timedelta(seconds=30)
LONGEST_PAUSE = timedelta(hours=6)
# How long a worker may be at one deletion before another one takes it up.
CLAIM = timedelta(minutes=5)
Clock = Callable[[], datetime]


def external_deletions_plan(*, session: Session, now: datetime) -> int:
    """Note the session's sessions in other systems for deletion, within the caller's transaction; return how many.

    Of `external_ids` those count whose name is a connector's that is installed, also while it is not enabled; a list
    holds several sessions.
    """
    known = connector_names()
    rows = [
        ExternalDeletion(
            project_id=session.project_id,
            connector=name,
            external_id=external_id,
            session_id=session.session_id,
            created_at=now,
            next_attempt_at=now,
        )
        for name, stated in sorted(session.external_ids.items())
        if name in known
        for external_id in (stated if isinstance(stated, list) else [stated])
        if external_id not in (None, "", {})
    ]
    return len(ExternalDeletion.objects.bulk_create(rows))


def external_deletions_run(*, clock: Clock, at_most: int = 100) -> int:
    """Try the deletions that are due, at most `at_most`, and return how many were done.

    What fails is tried again after a pause that doubles each time, up to LONGEST_PAUSE. A deletion is claimed before
    it is tried, so that two workers do not try the same; no transaction is open meanwhile.
    """
    done = 0
    due = ExternalDeletion.objects.filter(next_attempt_at__lte=clock(), connector__in=settings.CONNECTORS)
    for row in list(due.order_by("next_attempt_at", "pk")[:at_most]):
        if _claimed(row, clock()):
            done += _tried(row, clock)
    return done


def _claimed(row: ExternalDeletion, now: datetime) -> bool:
    mine = ExternalDeletion.objects.filter(pk=row.pk, next_attempt_at=row.next_attempt_at, done_at__isnull=True)
    return bool(mine.update(next_attempt_at=now + CLAIM, attempts=F("attempts") + 1))


def _tried(row: ExternalDeletion, clock: Clock) -> bool:
    rows = ExternalDeletion.objects.filter(pk=row.pk, done_at__isnull=True)
    try:
        connector_load(row.connector).delete_session(row.external_id)
    except ConnectorError as error:
        logger.warning("external_deletion_failed", connector=row.connector, pk=row.pk, error=str(error))
        pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** min(row.attempts, 16))
        rows.update(last_error=str(error), next_attempt_at=clock() + pause)
        return False
    return bool(rows.update(done_at=clock(), next_attempt_at=None, last_error=""))


@transaction.atomic
def external_deletion_retry(*, deletion: ExternalDeletion, caller: Caller, now: datetime) -> bool:
    """Make a deletion due at once, and audit that; return whether it was still to be done."""
    waiting = ExternalDeletion.objects.filter(pk=deletion.pk, done_at__isnull=True)
    if not waiting.update(next_attempt_at=now):
        return False
    audit_record(
        project_id=deletion.project_id,
        caller=caller,
        action="external_deletion.retry",
        target_type="external_deletion",
        target_id=str(deletion.pk),
        now=now,
    )
    return True
