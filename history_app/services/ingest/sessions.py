"""The sessions of a batch: found or created, locked in one order, and moved on at the end."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction

from config.shared.pieces import in_pieces
from config.shared.retries import TryAgain
from history_app.selectors.numbering import numbers_of_sessions
from history_app.services.drafts import Draft
from history_app.services.ingest import statements
from sessions_app.models import Event, Session, SessionActivity
from sessions_app.services.events import events_record
from sessions_app.services.expiry import expiry_after

# SQLite's limit of parameters, as Django counts it, is 999.
NAMES_PER_QUERY = 500


@dataclass(slots=True)
class TakenSession:
    """One session of the batch, under lock; `added`, `numbered` and `latest` say what the batch brings it.

    `made` says that this very batch created it: nothing can be stored in it yet.
    """

    pk: int
    user_id: str
    last_sequence: int = 0
    added: int = 0
    numbered: int = 0
    latest: datetime | None = None
    made: bool = False

    def begin_numbers(self) -> None:
        """Forget the numbers given to the batch's messages: they are given a second time."""
        self.added = self.numbered = 0

    def number(self, wanted: int | None) -> int:
        """Return the next message's number: the wanted one where it is above all that were given, else the next."""
        self.added += 1
        following = self.last_sequence + self.numbered + 1
        number = following if wanted is None or wanted < following else wanted
        self.numbered = number - self.last_sequence
        return number

    def touch(self, timestamp: datetime) -> None:
        """Remember that a fact of this time was stored."""
        if self.latest is None or timestamp > self.latest:
            self.latest = timestamp


def sessions_take(
    *, project_id: int, drafts: Sequence[Draft], now: datetime, create_sessions: bool
) -> dict[str, TakenSession]:
    """Return the sessions that the drafts name, by session id, with their activity rows locked in primary-key order.

    Unknown ones are created first (in the order of their ids, so that two writers never wait for each other), or left
    out of the answer when `create_sessions` is False.
    """
    names = {draft.session_id for draft in drafts}
    taken = _found(project_id, names)
    missing = names - taken.keys()
    if missing and create_sessions:
        mine = _create(project_id, _begun(missing, drafts, now), now)
        taken |= _found(project_id, missing)
        for name in mine:
            taken[name].made = True
    _lock(taken)
    return taken


def _chunks(names: Iterable[str | int]) -> Iterable[list[Any]]:
    return in_pieces(sorted(names), NAMES_PER_QUERY)


def _found(project_id: int, names: Iterable[str]) -> dict[str, TakenSession]:
    found = {}
    for chunk in _chunks(names):
        rows = Session.objects.filter(project_id=project_id, session_id__in=chunk)
        for pk, name, user_id in rows.values_list("pk", "session_id", "user_id"):
            found[name] = TakenSession(pk, user_id)
    return found


def _begun(names: set[str], drafts: Sequence[Draft], now: datetime) -> dict[str, datetime]:
    """Return when each new session began: with the earliest of its records, but not in the future."""
    begun: dict[str, datetime] = {}
    for draft in drafts:
        if draft.session_id in names:
            begun[draft.session_id] = min(draft.timestamp, begun.get(draft.session_id, now))
    return begun


def _create(project_id: int, begun: Mapping[str, datetime], now: datetime) -> list[str]:
    """Create the sessions that are not there yet, tell of them, and return their names."""
    ends = expiry_after(ttl_seconds=None, status=Session.Status.ACTIVE, now=now)
    rows = [
        Session(project_id=project_id, session_id=name, created_at=at, updated_at=at, expires_at=ends)
        for name, at in sorted(begun.items())
    ]
    mine = [row.session_id for row in _inserted(rows)]
    told = [(name, None) for name in mine]
    events_record(project_id=project_id, kind=Event.Kind.SESSION_CREATED, subjects=told, now=now)
    return mine


def _inserted(rows: list[Session]) -> list[Session]:
    """Store new sessions, and return those that are ours.

    Another writer may create the same session at this moment: whoever comes second uses the first one's. Then each is
    tried for itself, for only who made a session tells of it.
    """
    if len(rows) > 1:
        try:
            with transaction.atomic():
                return Session.objects.bulk_create(rows, batch_size=NAMES_PER_QUERY)
        except IntegrityError:
            pass
    return [row for row in rows if _inserted_alone(row)]


def _inserted_alone(row: Session) -> bool:
    try:
        with transaction.atomic():
            row.save(force_insert=True)
    except IntegrityError:
        return False
    return True


def _lock(taken: Mapping[str, TakenSession]) -> None:
    waiting = {session.pk: session for session in taken.values()}
    _lock_rows(waiting)
    if waiting:
        _create_activity(waiting.values())
        _lock_rows(waiting)
    if waiting:
        raise TryAgain


def _create_activity(sessions: Collection[TakenSession]) -> None:
    """Give sessions without activity theirs: from nothing for the batch's own, else from the messages that there are.

    Rows that were loaded past the services may lack it; to count from nothing would give numbers a second time.
    """
    numbers = numbers_of_sessions([session.pk for session in sessions if not session.made])
    for chunk in _chunks(session.pk for session in sessions):
        begun = Session.objects.kept().filter(pk__in=chunk).order_by("pk").values_list("pk", "created_at")
        rows = []
        for pk, created_at in begun:
            last, count = numbers.get(pk, (0, 0))
            rows.append(
                SessionActivity(session_id=pk, last_activity_at=created_at, last_sequence=last, message_count=count)
            )
        SessionActivity.objects.bulk_create(rows, ignore_conflicts=True)


def _lock_rows(waiting: dict[int, TakenSession]) -> None:
    """Lock activity rows, and take those that were there out of `waiting`."""
    for chunk in _chunks(waiting):
        rows = SessionActivity.objects.select_for_update().filter(pk__in=chunk).order_by("pk")
        for pk, last_sequence in rows.values_list("pk", "last_sequence"):
            waiting.pop(pk).last_sequence = last_sequence


def sessions_advance(*, sessions: Iterable[TakenSession], now: datetime) -> None:
    """Store what the batch brought each session: new messages, and the time of the newest fact (never in the future).

    Raises TryAgain when a counter is not where it was: nothing of the batch is stored then, and it is retried.
    """
    rows = [
        (session.pk, session.last_sequence, session.numbered, session.added, min(session.latest, now))
        for session in sessions
        if session.latest is not None
    ]
    if rows and statements.advance_counters(SessionActivity._meta.db_table, rows) != len(rows):
        raise TryAgain
