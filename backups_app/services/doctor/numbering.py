"""Checks of a session's counters against its messages."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Count, F, Max, OuterRef, Q, Subquery
from django.db.models.functions import Coalesce

from backups_app.services.doctor.findings import Check, Finding, in_ranges
from history_app.models import Message
from sessions_app.models import Session, SessionActivity

SESSIONS_AT_ONCE = 500


def _of_messages(aggregate: Any) -> Any:
    rows = Message.objects.filter(session=OuterRef("pk")).order_by().values("session").annotate(found=aggregate)
    return Coalesce(Subquery(rows.values("found")), 0)


def _with_messages(rows: Any) -> Any:
    """Count the messages in the statement that reads the counters: an append in between is in both or in neither."""
    counted = rows.annotate(held=_of_messages(Count("pk")), highest=_of_messages(Max("sequence")))
    return counted.select_related("session")


def _wrong(condition: Q) -> Iterator[Any]:
    for part in in_ranges(SessionActivity, size=SESSIONS_AT_ONCE):
        yield from _with_messages(part).filter(condition)


def _counts_wrong(now: datetime) -> Iterator[Finding]:
    for row in _wrong(~Q(message_count=F("held"))):
        yield _finding(row, f"message_count is {row.message_count}, and there are {row.held} messages{_missing(row)}")


def _missing(row: Any) -> str:
    """Say which numbers are gone, where messages are missing: what was deleted properly is not counted any more."""
    if row.message_count <= row.held:
        return ""
    present = Message.objects.filter(session=row.pk).order_by("sequence").values_list("sequence", flat=True)
    last = 0
    for sequence in present.iterator(chunk_size=2000):
        if sequence > last + 1:
            return f"; the first gap is from {last + 1} to {sequence - 1}"
        last = sequence
    return f"; the numbers end at {last}, and {row.last_sequence} was given out"


def _numbers_behind(now: datetime) -> Iterator[Finding]:
    for row in _wrong(Q(last_sequence__lt=F("highest"))):
        yield _finding(row, f"last_sequence is {row.last_sequence}, and a message has the number {row.highest}")


def _finding(row: Any, detail: str) -> Finding:
    return Finding(row.session.project_id, f"session {row.session.session_id}", detail, row.pk)


@transaction.atomic
def _counters_repair(finding: Finding, now: datetime) -> dict[str, Any] | None:
    """Set the counters to what the messages say; a number that was given out is never given out again."""
    list(SessionActivity.objects.select_for_update().filter(pk=finding.pk))
    row: Any = _with_messages(SessionActivity.objects.filter(pk=finding.pk)).first()
    if row is None:
        return None
    wanted = {"message_count": row.held, "last_sequence": max(row.last_sequence, row.highest)}
    before = {name: getattr(row, name) for name in wanted}
    if before == wanted:
        return None
    SessionActivity.objects.filter(pk=row.pk).update(**wanted)
    return {name: [before[name], value] for name, value in wanted.items() if before[name] != value}


def _doubles(now: datetime) -> Iterator[Finding]:
    """A unique constraint forbids them; a store that came from elsewhere may have lost it."""
    for part in in_ranges(Session, size=SESSIONS_AT_ONCE):
        rows = Message.objects.filter(session__in=part.order_by().values("pk")).order_by().values("session", "sequence")
        for row in rows.annotate(number=Count("pk")).filter(number__gt=1):
            session = Session.objects.get(pk=row["session"])
            told = f"{row['number']} messages have the number {row['sequence']}"
            yield Finding(session.project_id, f"session {session.session_id}", told)


def _activity_missing(now: datetime) -> Iterator[Finding]:
    for part in in_ranges(Session, Session.objects.kept().filter(activity__isnull=True)):
        for row in part:
            yield Finding(row.project_id, f"session {row.session_id}", "it has no counters", row.pk)


@transaction.atomic
def _activity_repair(finding: Finding, now: datetime) -> dict[str, Any] | None:
    session = Session.objects.kept().filter(pk=finding.pk, activity__isnull=True).first()
    if session is None:
        return None
    SessionActivity.objects.bulk_create(
        [SessionActivity(session=session, last_activity_at=session.updated_at)], ignore_conflicts=True
    )
    return {"activity": [None, "made"], **(_counters_repair(finding, now) or {})}


CHECKS = (
    Check("activity_missing", _activity_missing, _activity_repair),
    Check("numbering_behind", _numbers_behind, _counters_repair),
    Check("message_count_wrong", _counts_wrong, _counters_repair),
    Check("numbering_double", _doubles),
)
