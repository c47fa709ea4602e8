"""An agent's turn: the next state and what was said, done and spent on the way to it, in one transaction."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext as _

from config.shared.errors import Conflict, FieldError, InvalidInput, TooLarge
from config.shared.retries import retried
from config.shared.text import Replaced
from config.shared.versions import ABSENT
from history_app.services.drafts import Draft
from history_app.services.ingest import OutcomeKind, batch_write
from history_app.services.intake import Unreadable, read_record
from history_app.services.refusals import refusal_of
from sessions_app.models import Session, SessionState
from sessions_app.services.locks import session_locked
from sessions_app.services.states import Change, Terms, state_next, state_values

# With the number of a record behind it, it still is a record id.
TURN_ID_LENGTH = 200


@dataclass(frozen=True, slots=True)
class Turn:
    """What a turn came to; `replayed` when it had been stored before, and nothing was written now."""

    state: SessionState
    accepted: int
    duplicates: int
    replayed: bool = False


def turn_save(
    *,
    session: Session,
    change: Change,
    records: Sequence[Mapping[str, Any]],
    expected_version: int,
    turn_id: str = "",
    fence: int | None = None,
    now: datetime,
    replaced: Replaced | None = None,
) -> Turn:
    """Write the next version of a session's state and the records of the turn, all or none.

    `change` is one of `saving` and `patching` of sessions_app.services.states. `records` are named as in api.md and
    belong to this session. A turn with a `turn_id` can be sent again: when it is stored already, it is returned as it
    stands, and its records without an id have one made of the turn's. Raises StaleVersion when `expected_version` is
    not the current one, FencedOff for a lease that is over, InvalidInput, TooLarge, NotFound, and Conflict for another
    record under a stored id or another turn under a stored `turn_id`.
    """
    if len(turn_id) > TURN_ID_LENGTH:
        raise InvalidInput.at("/turn_id", _("A turn id has at most %d characters.") % TURN_ID_LENGTH)
    drafts = _drafts(session, records, turn_id, now, Replaced() if replaced is None else replaced)
    terms = Terms(expected=expected_version, turn_id=turn_id, fence=fence)

    def write() -> Turn:
        with transaction.atomic():
            done = _done(session, turn_id)
            if done is not None:
                _check_same(done, change, terms)
            state = done or state_next(session=session, change=change, terms=terms, now=now)
            accepted = _record(session, drafts, now)
            if done and accepted:
                raise Conflict(_("This turn_id was used for a turn with other records."))
            return Turn(state, accepted, len(drafts) - accepted, replayed=done is not None)

    return retried(write)


def _drafts(
    session: Session, records: Sequence[Mapping[str, Any]], turn_id: str, now: datetime, replaced: Replaced
) -> list[Draft]:
    """Return the drafts of the turn's records. Raises InvalidInput that names every fault by its pointer."""
    if len(records) > settings.MAX_RECORDS:
        raise TooLarge(_("The body holds more than %d records.") % settings.MAX_RECORDS)
    drafts: list[Draft] = []
    errors: list[FieldError] = []
    for place, stated in enumerate(records):
        draft = read_record(
            _completed(stated, session, f"{turn_id}:{place}" if turn_id else None), now=now, replaced=replaced
        )
        if isinstance(draft, Unreadable):
            errors += [FieldError(f"/records/{place}{fault.pointer}", fault.detail) for fault in draft.errors]
        elif draft.session_id != session.session_id:
            detail = _("A turn's records belong to its session.")
            errors.append(FieldError(f"/records/{place}/session_id", detail))
        else:
            drafts.append(draft)
    if errors:
        raise InvalidInput(errors)
    return drafts


def _completed(stated: Any, session: Session, record_id: str | None) -> Any:
    """Return a record with the session's id, and the id that its place in the turn gives it, where it states none."""
    if not isinstance(stated, Mapping):
        return stated
    given = {"session_id": session.session_id, "record_id": record_id}
    return {**stated, **{name: value for name, value in given.items() if stated.get(name) is None}}


def _done(session: Session, turn_id: str) -> SessionState | None:
    """Return the version that this turn wrote, while it is kept; the lock lets a twin at work finish first."""
    if not turn_id or session_locked(pk=session.pk) is None:
        return None
    return SessionState.objects.filter(session=session, turn_id=turn_id).order_by("-version").first()


def _check_same(done: SessionState, change: Change, terms: Terms) -> None:
    """Raise Conflict when the stored turn is another one than that which is sent again."""
    before = 0 if terms.expected is None or terms.expected == ABSENT else terms.expected
    base = SessionState.objects.filter(session_id=done.session_id, version=before).first()
    is_same = done.version - 1 == before
    if is_same and (base is not None or before == 0):
        is_same = change(base) == state_values(done)
    if not is_same:
        raise Conflict(_("This turn_id was used for another turn."))


def _record(session: Session, drafts: list[Draft], now: datetime) -> int:
    """Store the records under the session's lock and return how many are new. Raises InvalidInput, Conflict."""
    if not drafts:
        return 0
    written = batch_write(project_id=session.project_id, drafts=drafts, now=now, create_sessions=False)
    refusal = refusal_of(written.outcomes, [f"/records/{place}" for place in range(len(drafts))])
    if refusal is not None:
        raise refusal
    return written.count(OutcomeKind.NEW)
