"""Sessions one at a time: saved whole, changed in part, deleted with all that hangs on them."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction

from config.shared.callers import Caller
from config.shared.errors import Conflict, InvalidInput, NotFound
from config.shared.merging import merge_patch
from config.shared.versions import version_check
from sessions_app.models import Event, Session, SessionActivity
from sessions_app.services.audit import audit_record
from sessions_app.services.deletion import session_bury
from sessions_app.services.drafts import DOCUMENTS, SessionDraft, value_errors
from sessions_app.services.events import session_event
from sessions_app.services.expiry import expiry_after
from sessions_app.services.external_deletions import external_deletions_plan
from sessions_app.services.labels import labels_replace
from sessions_app.services.lifecycle import status_change_check
from sessions_app.services.locks import session_locked
from sessions_app.services.workflows import workflow_ensure

_LABELLED = {"tags", "metadata"}


def session_create(*, project_id: int, draft: SessionDraft, now: datetime) -> Session:
    """Make a new session. Raises Conflict when the project has one of that id, InvalidInput for what cannot be kept."""
    draft.check()
    try:
        with transaction.atomic():
            return _insert(project_id, draft, now)
    except IntegrityError as error:
        raise Conflict("There is a session of this id already.") from error


def session_save(
    *, project_id: int, draft: SessionDraft, now: datetime, expected_version: int | None = None
) -> tuple[Session, bool]:
    """Create the session, or replace it whole; return it and whether it is new.

    What the draft does not state goes back to its default. Raises StaleVersion when `expected_version` is not the
    stored one, InvalidInput for what cannot be kept, Conflict for a status that cannot follow the stored one.
    """
    draft.check()
    replaced = _replace(project_id, draft, now, expected_version)
    if replaced is not None:
        return replaced, False
    version_check(current=None, expected=expected_version)
    try:
        with transaction.atomic():
            return _insert(project_id, draft, now), True
    except IntegrityError:
        # Somebody else made it in between: then this save comes after theirs.
        replaced = _replace(project_id, draft, now, expected_version)
        if replaced is None:
            raise
        return replaced, False


def _insert(project_id: int, draft: SessionDraft, now: datetime) -> Session:
    session = Session(project_id=project_id, **draft.columns())
    session.workflow = workflow_of(project_id, draft.workflow, now)
    session.created_at = draft.created_at or now
    session.updated_at = draft.updated_at or now
    session.expires_at = expiry_after(ttl_seconds=session.ttl_seconds, status=session.status, now=now)
    session.save(force_insert=True)
    session.activity = SessionActivity.objects.create(session=session, last_activity_at=draft.last_activity_at or now)
    labels_replace(sessions=[session], are_new=True)
    session_event(session=session, kind=Event.Kind.SESSION_CREATED, now=now)
    return session


@transaction.atomic
def _replace(project_id: int, draft: SessionDraft, now: datetime, expected: int | None) -> Session | None:
    stored = Session.objects.filter(project_id=project_id, session_id=draft.session_id).only("pk").first()
    session = session_locked(pk=stored.pk) if stored else None
    if session is None:
        return None
    version_check(current=session.version, expected=expected)
    status_change_check(current=session.status, wanted=draft.status)
    for name, value in draft.columns().items():
        setattr(session, name, value)
    session.workflow = workflow_of(project_id, draft.workflow, now)
    _store(session, now)
    labels_replace(sessions=[session])
    return session


@transaction.atomic
def session_update(
    *, session: Session, changes: Mapping[str, Any], now: datetime, expected_version: int | None = None
) -> Session:
    """Change what is stated: JSON documents merge (RFC 7396; null empties one), everything else replaces.

    `workflow` in `changes` is a text id or None. Raises StaleVersion, InvalidInput, NotFound when it is gone, Conflict
    for a status that cannot follow the stored one.
    """
    current = session_locked(pk=session.pk)
    if current is None:
        raise NotFound
    version_check(current=current.version, expected=expected_version)
    values = {name: _merged(current, name, value) for name, value in changes.items() if name != "workflow"}
    if errors := list(value_errors(values)):
        raise InvalidInput(errors)
    status_change_check(current=current.status, wanted=values.get("status", current.status))
    for name, value in values.items():
        setattr(current, name, value)
    if "workflow" in changes:
        current.workflow = workflow_of(current.project_id, changes["workflow"], now)
    _store(current, now)
    if _LABELLED & values.keys():
        labels_replace(sessions=[current])
    return current


def _merged(session: Session, name: str, value: Any) -> Any:
    if name == "tags":
        return value or []
    return merge_patch(getattr(session, name), value) or {} if name in DOCUMENTS else value


def _store(session: Session, now: datetime) -> None:
    """Write a row that is held under lock, as its next version, alive from now on."""
    session.version += 1
    session.updated_at = now
    session.expires_at = expiry_after(ttl_seconds=session.ttl_seconds, status=session.status, now=now)
    session.save(force_update=True)
    SessionActivity.objects.filter(pk=session.pk).update(last_activity_at=now)
    session_event(session=session, kind=Event.Kind.SESSION_UPDATED, now=now)


def workflow_of(project_id: int, workflow_id: str | None, now: datetime) -> Any:
    """Return the workflow that a session names, made where the project has none of that id."""
    if not workflow_id:
        return None
    return workflow_ensure(project_id=project_id, workflow_ids=[workflow_id], now=now)[workflow_id]


@transaction.atomic
def session_delete(*, session: Session, caller: Caller, now: datetime, expected_version: int | None = None) -> None:
    """Remove a session with its states, labels, records and whatever else hangs on it, and audit that.

    It is gone for every reader when this is committed; of a large session most rows are removed later, by
    `sessions_purge`. Its sessions in other systems are noted for deletion there.

    Raises StaleVersion when `expected_version` is not the stored one, NotFound when it is gone already.
    """
    current = session_locked(pk=session.pk)
    if current is None:
        raise NotFound
    version_check(current=current.version, expected=expected_version)
    activity = SessionActivity.objects.filter(pk=current.pk).first()
    messages = activity.message_count if activity else 0
    external_deletions_plan(session=current, now=now)
    session_bury(session=current, now=now)
    session_event(session=current, kind=Event.Kind.SESSION_DELETED, now=now)
    # The chain of the audit is locked last, as everywhere.
    audit_record(
        project_id=current.project_id,
        caller=caller,
        action="session.delete",
        target_type="session",
        target_id=current.session_id,
        changes={
            "title": current.title,
            "status": current.status,
            "messages": messages,
        },
        now=now,
    )
