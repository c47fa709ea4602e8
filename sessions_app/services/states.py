"""Session state: every write is a new version, and the former ones stay as checkpoints."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from django.db import transaction

from config.shared.errors import NotFound
from config.shared.merging import merge_patch
from config.shared.versions import version_check
from sessions_app.models import Session, SessionState
from sessions_app.services.drafts import StateDraft
from sessions_app.services.expiry import session_touch
from sessions_app.services.locks import session_locked


def state_save(
    *, session: Session, draft: StateDraft, now: datetime, expected_version: int | None = None
) -> SessionState:
    """Make this the session's state. Raises StaleVersion when `expected_version` is not the current one."""
    return _next_version(session, lambda _current: draft.values(), now, expected_version)


def state_update(
    *, session: Session, changes: Mapping[str, Any], now: datetime, expected_version: int | None = None
) -> SessionState:
    """Change what is stated: `data` merges (RFC 7396), everything else replaces. Raises StaleVersion."""

    def changed(current: SessionState | None) -> dict[str, Any]:
        values = _values(current) if current else StateDraft().values()
        for name, value in changes.items():
            values[name] = _patched(name, values[name], value)
        return values

    return _next_version(session, changed, now, expected_version)


def state_rollback(
    *, session: Session, version: int, now: datetime, expected_version: int | None = None
) -> SessionState:
    """Make a checkpoint the current state again, as a new version. Raises NotFound, StaleVersion."""
    checkpoint = SessionState.objects.filter(session=session, version=version).first()
    if checkpoint is None:
        raise NotFound
    return _next_version(session, lambda _current: _values(checkpoint), now, expected_version)


def state_current(*, session: Session) -> SessionState | None:
    """Return the newest version of a session's state, or None when it has none yet."""
    return SessionState.objects.filter(session=session).order_by("-version").first()


def _patched(name: str, stored: Any, stated: Any) -> Any:
    if name == "data":
        return merge_patch(stored, stated) or {}
    return [] if stated is None and isinstance(stored, list) else stated


def _values(state: SessionState) -> dict[str, Any]:
    return {name: getattr(state, name) for name in StateDraft().values()}


@transaction.atomic
def _next_version(
    session: Session,
    values: Callable[[SessionState | None], dict[str, Any]],
    now: datetime,
    expected: int | None,
) -> SessionState:
    if session_locked(pk=session.pk) is None:
        raise NotFound
    current = state_current(session=session)
    version_check(current=current.version if current else None, expected=expected)
    state = SessionState(session=session, version=current.version + 1 if current else 1, created_at=now)
    for name, value in values(current).items():
        setattr(state, name, value)
    state.save(force_insert=True)
    session_touch(session=session, now=now)
    return state
