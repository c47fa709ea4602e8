"""Session state: every write is a new version, and the former ones stay as checkpoints, as the policy says."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext as _

from config.shared.errors import NotFound, TooLarge, VersionRequired
from config.shared.fields import JSONTextField, dump_json
from config.shared.merging import merge_patch
from config.shared.retries import retried
from config.shared.versions import version_check
from sessions_app.models import Session, SessionState
from sessions_app.services.checkpoints import checkpoints_prune
from sessions_app.services.drafts import StateDraft
from sessions_app.services.expiry import session_touch
from sessions_app.services.locks import session_locked

DOCUMENTS = tuple(field.name for field in SessionState._meta.concrete_fields if isinstance(field, JSONTextField))

Values = dict[str, Any]
Change = Callable[[SessionState | None], Values]


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What a write of a state is bound to: checked under the session's lock, in the transaction of the write.

    `expected` is a version or one of the special values of config.shared.versions; `fence` is the token of the lease
    under which the client writes; `turn_id` is the client's name for the turn and is kept with the version.
    """

    expected: int | None = None
    fence: int | None = None
    turn_id: str = ""


def state_save(
    *,
    session: Session,
    draft: StateDraft,
    now: datetime,
    expected_version: int | None = None,
    fence: int | None = None,
) -> SessionState:
    """Make this the session's state.

    Raises StaleVersion when `expected_version` is not the current one, VersionRequired when none is stated and the
    setting STATE_VERSION_REQUIRED asks for one, FencedOff when `fence` is not the newest token of the session's agent,
    TooLarge over MAX_STATE_BYTES, NotFound when the session is gone.
    """
    return _written(session, saving(draft), now, Terms(expected=expected_version, fence=fence))


def state_update(
    *,
    session: Session,
    changes: Mapping[str, Any],
    now: datetime,
    expected_version: int | None = None,
    fence: int | None = None,
) -> SessionState:
    """Change what is stated: `data` merges (RFC 7396), everything else replaces. Raises as `state_save` does."""
    return _written(session, patching(changes), now, Terms(expected=expected_version, fence=fence))


def state_rollback(
    *,
    session: Session,
    version: int,
    now: datetime,
    expected_version: int | None = None,
    fence: int | None = None,
) -> SessionState:
    """Make a checkpoint the current state again, as a new version. Raises NotFound, and as `state_save` does."""

    def restored(_current: SessionState | None) -> Values:
        # Read under the lock: a concurrent write may prune the checkpoint.
        checkpoint = SessionState.objects.filter(session=session, version=version).first()
        if checkpoint is None:
            raise NotFound
        return state_values(checkpoint)

    return _written(session, restored, now, Terms(expected=expected_version, fence=fence))


def state_current(*, session: Session) -> SessionState | None:
    """Return the newest version of a session's state, or None when it has none yet."""
    return SessionState.objects.current().filter(session=session).first()


def saving(draft: StateDraft) -> Change:
    """Return the change that makes this the whole state."""
    return lambda _current: draft.values()


def patching(changes: Mapping[str, Any]) -> Change:
    """Return the change that `state_update` makes."""

    def changed(current: SessionState | None) -> Values:
        values = state_values(current) if current else StateDraft().values()
        for name, value in changes.items():
            values[name] = _patched(name, values[name], value)
        return values

    return changed


def state_values(state: SessionState) -> Values:
    """Return the columns of one version that its author stated."""
    return {name: getattr(state, name) for name in StateDraft().values()}


def state_next(*, session: Session, change: Change, terms: Terms, now: datetime) -> SessionState:
    """Write the next version within the caller's transaction, which holds the session's lock from here on.

    The former current version becomes a checkpoint, and what the policy keeps no longer is pruned. Raises as
    `state_save` does.
    """
    if session_locked(pk=session.pk, fence=terms.fence) is None:
        raise NotFound
    current = state_current(session=session)
    if terms.expected is None and settings.STATE_VERSION_REQUIRED:
        raise VersionRequired(_("Say which version of the state the write is meant for."))
    version_check(current=current.version if current else None, expected=terms.expected)
    values = change(current)
    _check_size(values)
    version = current.version + 1 if current else 1
    if current:
        SessionState.objects.filter(pk=current.pk).update(is_current=None)
    state = SessionState(session=session, version=version, is_current=True, turn_id=terms.turn_id, created_at=now)
    for name, value in values.items():
        setattr(state, name, value)
    state.save(force_insert=True)
    checkpoints_prune(session_pk=session.pk, current=version)
    session_touch(session=session, now=now)
    return state


def _written(session: Session, change: Change, now: datetime, terms: Terms) -> SessionState:
    def write() -> SessionState:
        with transaction.atomic():
            return state_next(session=session, change=change, terms=terms, now=now)

    return retried(write)


def _patched(name: str, stored: Any, stated: Any) -> Any:
    if name == "data":
        return merge_patch(stored, stated) or {}
    return [] if stated is None and isinstance(stored, list) else stated


def _check_size(values: Values) -> None:
    """Raise TooLarge for documents that take more than MAX_STATE_BYTES as JSON."""
    size = sum(len(dump_json(values[name]).encode()) for name in DOCUMENTS)
    if size > settings.MAX_STATE_BYTES:
        detail = _("The state takes %(size)d bytes, and MAX_STATE_BYTES allows %(limit)d.")
        raise TooLarge(detail % {"size": size, "limit": settings.MAX_STATE_BYTES})
