"""Session reads from a cache that is never stale: its entries are addressed by the version that a cheap read tells."""

from typing import Any

from django.conf import settings
from django.db import connection

from config.shared.cached import cache_value, cached_value
from config.shared.plain_rows import moment
from sessions_app.models import Session, SessionActivity, Workflow

# In the form of every database, and not built anew for each call: it is what a cached read costs.
_LIVE = (
    "SELECT s.id, s.version, s.updated_at, s.workflow_id, s.expires_at, a.last_activity_at, a.message_count "
    "FROM sessions_app_session s LEFT JOIN sessions_app_sessionactivity a ON a.session_id = s.id "
    "WHERE s.project_id = %s AND s.session_id = %s"
)
_COLUMNS = tuple(field.attname for field in Session._meta.concrete_fields)
# In the order of the model's fields, as `from_db` reads them.
_ACTIVITY = ("session_id", "message_count", "last_activity_at")


def session_read(*, project_id: int, session_id: str) -> Session | None:
    """Return a session as it is now, with its workflow's id and its activity, or None; for reading only.

    One narrow statement says which version there is; the documents come from the cache (SESSION_CACHE_TTL seconds, in
    this process or in Redis) under exactly that version. So no write can be hidden by what another process, or this
    one, has cached before. Within a transaction nothing is cached: what it reads may never be committed.
    """
    if not settings.SESSION_CACHE_TTL or connection.in_atomic_block:
        return _whole(project_id, session_id)
    with connection.cursor() as cursor:
        cursor.execute(_LIVE, [project_id, session_id])
        live = cursor.fetchone()
    if live is None:
        return None
    kept = cached_value(_key(*live[:4]))
    if kept is not None:
        return _built(kept, live)
    session = _whole(project_id, session_id)
    if session is not None:
        key = _key(session.pk, session.version, session.updated_at, session.workflow_id)
        workflow = session.workflow.workflow_id if session.workflow else None
        value = ([getattr(session, name) for name in _COLUMNS], workflow)
        cache_value(key, value, settings.SESSION_CACHE_TTL)
    return session


def _whole(project_id: int, session_id: str) -> Session | None:
    rows = Session.objects.select_related("workflow", "activity")
    found: Session | None = rows.filter(project_id=project_id, session_id=session_id).first()
    return found


def _key(pk: int, version: int, updated_at: Any, workflow_id: int | None) -> str:
    """Return where one version of a session is cached.

    The time of the change tells versions apart that a restored backup has counted anew, and the workflow is what its
    deletion takes away without a new version.
    """
    return f"session:{pk}:{version}:{moment(updated_at).timestamp()}:{workflow_id}"


def _built(kept: tuple[list[Any], str | None], live: Any) -> Session:
    """Return the session of cached columns, with what changes without a new version as it is now."""
    columns, workflow = kept
    session: Session = Session.from_db(connection.alias, _COLUMNS, columns)
    session.expires_at = moment(live[4])
    known = session._state.fields_cache
    known["workflow"] = Workflow(pk=live[3], workflow_id=workflow) if workflow is not None else None
    if live[5] is not None:
        values = [live[0], live[6], moment(live[5])]
        known["activity"] = SessionActivity.from_db(connection.alias, _ACTIVITY, values)
    return session
