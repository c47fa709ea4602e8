"""Session reads from a cache that is never stale: its entries are addressed by the version that a cheap read tells."""

import time
from collections.abc import Callable
from typing import Any, TypeVar

import structlog
from django.conf import settings
from django.core.cache import cache
from django.db import connection
from redis.exceptions import RedisError

from config.shared.plain_rows import moment
from sessions_app.models import Session, SessionActivity, Workflow

logger = structlog.get_logger(__name__)

Result = TypeVar("Result")

# After a failure the cache is left alone for so long: each try may take as long as its time-outs.
PAUSE_SECONDS = 5.0

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
    kept = _guarded(lambda: cache.get(_key(*live[:4])))
    if kept is not None:
        return _built(kept, live)
    session = _whole(project_id, session_id)
    if session is not None:
        key = _key(session.pk, session.version, session.updated_at, session.workflow_id)
        workflow = session.workflow.workflow_id if session.workflow else None
        value = ([getattr(session, name) for name in _COLUMNS], workflow)
        _guarded(lambda: cache.set(key, value, settings.SESSION_CACHE_TTL))
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


class _Away:
    """Until when the cache of this process counts as away, on the monotonic clock."""

    until = 0.0


def _guarded(call: Callable[[], Result]) -> Result | None:
    """Return what the cache says, or None when it is away: then the database alone answers, and nothing waits."""
    if time.monotonic() < _Away.until:
        return None
    try:
        return call()
    except (RedisError, OSError) as error:
        _Away.until = time.monotonic() + PAUSE_SECONDS
        logger.warning("session_cache_away", error=type(error).__name__, pause=PAUSE_SECONDS)
        return None
