"""A session begun as a copy of another one: its own columns, and its state up to a version."""

from datetime import datetime
from typing import Any

from django.db.models import BooleanField, Case, Value, When

from config.shared.copying import rows_copied
from sessions_app.models import Session, SessionActivity, SessionState
from sessions_app.services.drafts import DOCUMENTS, SessionDraft
from sessions_app.services.sessions import session_create

# External sessions belong to the one that made them: they are removed with it.
NOT_COPIED = frozenset({"external_ids"})
_TEXTS = ("user_id", "title", "workflow_config_path")


def session_copy(*, source: Session, session_id: str, metadata: dict[str, Any], now: datetime) -> Session:
    """Make an active session with the columns of another one but for its external ids; `metadata` is added to its own.

    It begins now and expires as any new session. Raises Conflict when the project has one of that id.
    """
    names = ("tags", "ttl_seconds", *_TEXTS, *(name for name in DOCUMENTS if name not in NOT_COPIED))
    values = {name: getattr(source, name) for name in names}
    values["metadata"] = {**source.metadata, **metadata}
    workflow = source.workflow.workflow_id if source.workflow else None
    draft = SessionDraft(session_id=session_id, workflow=workflow, **values)
    return session_create(project_id=source.project_id, draft=draft, now=now)


def states_copy(*, source: Session, target: Session, version: int) -> int:
    """Give a new session the versions of another one's state up to this one, which is its current state then.

    Returns how many there are.
    """
    current = Case(When(version=version, then=Value(True)), default=None, output_field=BooleanField(null=True))
    rows = SessionState.objects.filter(session=source, version__lte=version).order_by("version")
    return rows_copied(rows, session=Value(target.pk), is_current=current)


def activity_set(*, session: Session, last_sequence: int, message_count: int) -> None:
    """State what a new session holds, of which nobody else knows yet."""
    SessionActivity.objects.filter(pk=session.pk).update(last_sequence=last_sequence, message_count=message_count)
