"""Many sessions saved or deleted, all or none: what the REST batch calls and the session store share."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from config.shared.callers import Caller
from config.shared.errors import FieldError, InvalidInput, LedgerError
from config.shared.retries import retried
from sessions_app.models import Session, SessionActivity
from sessions_app.services.drafts import SessionDraft
from sessions_app.services.session_store.errors import SessionsNotFound
from sessions_app.services.sessions import session_delete, session_save
from sessions_app.services.states import Terms, saving, state_current, state_next, state_values

MOST_SESSIONS = 1000
_IDS_PER_STATEMENT = 500


@dataclass(frozen=True, slots=True)
class Saved:
    """One session of a batch as it stands now, and whether it is new."""

    session: Session
    created: bool


def sessions_save(*, project_id: int, drafts: Sequence[SessionDraft], now: datetime) -> list[Saved]:
    """Create or replace each session, with the state of its draft where it has one; all or none.

    A state that is stored as it is gets no new version. Raises InvalidInput whose pointers begin with the place in
    the list, Conflict as `session_save` does, TooLarge and VersionRequired as `state_save` does.
    """
    _check(drafts)

    def write() -> list[Saved]:
        with transaction.atomic():
            _lock(project_id, [draft.session_id for draft in drafts])
            # In one order, also those that are made now: two batches never wait for each other in a circle.
            saved = {draft.session_id: _save(project_id, draft, now) for draft in _in_order(drafts)}
            return [saved[draft.session_id] for draft in drafts]

    return retried(write)


def sessions_delete(*, project_id: int, session_ids: Sequence[str], caller: Caller, now: datetime) -> int:
    """Delete each session with all that hangs on it, all or none, and return how many.

    Raises SessionsNotFound that names every session which is not there, InvalidInput for too many.
    """
    if len(session_ids) > MOST_SESSIONS:
        raise InvalidInput.at("/session_ids", _too_many())

    def write() -> int:
        with transaction.atomic():
            _lock(project_id, session_ids)
            found = _found(project_id, session_ids)
            missing = [name for name in dict.fromkeys(session_ids) if name not in found]
            if missing:
                raise SessionsNotFound(missing)
            for name in sorted(found):
                session_delete(session=found[name], caller=caller, now=now)
            return len(found)

    return retried(write)


def _too_many() -> str:
    return _("At most %d sessions at once.") % MOST_SESSIONS


def _check(drafts: Sequence[SessionDraft]) -> None:
    if len(drafts) > MOST_SESSIONS:
        raise InvalidInput.at("", _too_many())
    errors: list[FieldError] = []
    seen: set[str] = set()
    for place, draft in enumerate(drafts):
        try:
            draft.check()
        except InvalidInput as error:
            errors += [FieldError(f"/{place}{fault.pointer}", fault.detail) for fault in error.errors]
        if draft.session_id in seen:
            errors.append(FieldError(f"/{place}/session_id", _("This session stands in the list twice.")))
        seen.add(draft.session_id)
    if errors:
        raise InvalidInput(errors)


def _in_order(drafts: Sequence[SessionDraft]) -> list[SessionDraft]:
    return sorted(drafts, key=lambda draft: draft.session_id)


def _found(project_id: int, session_ids: Sequence[str]) -> dict[str, Session]:
    found = {}
    for start in range(0, len(session_ids), _IDS_PER_STATEMENT):
        some = session_ids[start : start + _IDS_PER_STATEMENT]
        found.update(
            {row.session_id: row for row in Session.objects.filter(project_id=project_id, session_id__in=some)}
        )
    return found


def _lock(project_id: int, session_ids: Sequence[str]) -> None:
    """Take the activity rows in the order of their keys, as the bulk writer of records does."""
    pks = sorted(session.pk for session in _found(project_id, session_ids).values())
    for start in range(0, len(pks), _IDS_PER_STATEMENT):
        some = pks[start : start + _IDS_PER_STATEMENT]
        list(SessionActivity.objects.select_for_update().filter(pk__in=some).order_by("pk"))


def _save(project_id: int, draft: SessionDraft, now: datetime) -> Saved:
    try:
        session, created = session_save(project_id=project_id, draft=draft, now=now)
        if draft.state is not None:
            current = state_current(session=session)
            if current is None or state_values(current) != draft.state.values():
                state_next(session=session, change=saving(draft.state), terms=Terms(), now=now)
    except LedgerError as error:
        # Which of the many it was is what the caller needs to know.
        error.add_note(f"session {draft.session_id!r}")
        raise
    return Saved(session, created)
