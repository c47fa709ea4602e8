"""What the session store does, call by call, for both of its faces: the async one and the sync one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Exists, OuterRef, Prefetch, QuerySet
from django.utils import timezone

from config.shared.callers import SYSTEM, Caller
from config.shared.errors import InvalidInput
from config.shared.retries import retried
from sessions_app.models import Session, SessionLabel, SessionState
from sessions_app.services.labels import label_text
from sessions_app.services.session_cache import session_read
from sessions_app.services.session_store.batches import sessions_delete, sessions_save
from sessions_app.services.session_store.errors import StorageNotFoundError, storage_errors
from sessions_app.services.session_store.shapes import STATUS_AS_FOUND, STATUSES, Data, changes_of, data_of, draft_of
from sessions_app.services.sessions import session_update
from sessions_app.services.states import Terms, patching, state_current, state_next

_COLUMNS = ("session_id", "user_id")


@dataclass(frozen=True, slots=True)
class StoreCalls:
    """The calls on one project's sessions; deletions are audited as this caller's."""

    project_id: int
    caller: Caller = SYSTEM

    def save(self, session_id: str, data: Data) -> None:
        """Create the session, or replace it whole."""
        with storage_errors(f"save session {session_id}"):
            sessions_save(project_id=self.project_id, drafts=[draft_of(session_id, data)], now=timezone.now())

    def get(self, session_id: str) -> dict[str, Any] | None:
        """Return the session's data, or None where there is none."""
        with storage_errors(f"get session {session_id}"):
            session = session_read(project_id=self.project_id, session_id=session_id)
            return None if session is None else data_of(session, state_current(session=session))

    def delete(self, session_id: str) -> None:
        """Delete the session with all that hangs on it."""
        self.batch_delete([session_id])

    def list(self, filters: Data | None = None, limit: int | None = None) -> list[dict[str, Any]]:
        """Return the sessions that all filters let through, the newest first."""
        with storage_errors("list sessions"):
            current = Prefetch("states", SessionState.objects.current(), to_attr="current_states")
            rows = _filtered(self._rows(), filters or {}).prefetch_related(current).order_by("-created_at", "-pk")
            found: Any = rows if limit is None else rows[: max(0, limit)]
            return [data_of(row, next(iter(row.current_states), None)) for row in found]

    def exists(self, session_id: str) -> bool:
        """Return whether there is such a session."""
        with storage_errors(f"look for session {session_id}"):
            return self._rows().filter(session_id=session_id).exists()

    def update(self, session_id: str, updates: Data) -> None:
        """Merge the updates into the session and its state, in one transaction."""
        with storage_errors(f"update session {session_id}", session_id):
            changes, state = changes_of(updates)
            retried(lambda: self._update(session_id, changes, state, timezone.now()))

    def batch_save(self, sessions: Mapping[str, Data]) -> None:
        """Save them all, or none."""
        with storage_errors("save the batch of sessions"):
            drafts = [draft_of(session_id, data) for session_id, data in sessions.items()]
            sessions_save(project_id=self.project_id, drafts=drafts, now=timezone.now())

    def batch_delete(self, session_ids: Sequence[str]) -> None:
        """Delete them all, or none."""
        with storage_errors("delete sessions"):
            now = timezone.now()
            sessions_delete(project_id=self.project_id, session_ids=session_ids, caller=self.caller, now=now)

    def _rows(self) -> QuerySet[Session]:
        return Session.objects.filter(project_id=self.project_id)

    def _find(self, session_id: str) -> Session | None:
        return self._rows().filter(session_id=session_id).first()

    @transaction.atomic
    def _update(self, session_id: str, changes: dict[str, Any], state: dict[str, Any] | None, now: datetime) -> None:
        session = self._find(session_id)
        if session is None:
            raise StorageNotFoundError([session_id])
        session_update(session=session, changes=changes, now=now)
        if state is not None:
            state_next(session=session, change=patching(state), terms=Terms(), now=now)


def _filtered(rows: Any, filters: Data) -> Any:
    """Return the rows that the filters let through: columns, `tags` (each of them) and scalars of the metadata."""
    for name, value in filters.items():
        if name in _COLUMNS:
            rows = rows.filter(**{name: value})
        elif name == "status":
            rows = _of_status(rows, value)
        elif name in ("tag", "tags"):
            for tag in [value] if isinstance(value, str) else value:
                rows = rows.labelled(SessionLabel.Kind.TAG, "", tag)
        elif name in ("workflow_config_path", "created_at", "updated_at") or label_text(value) is None:
            raise InvalidInput.at(f"/{name}", "There is no such filter.")
        else:
            rows = rows.labelled(SessionLabel.Kind.METADATA, name, label_text(value))
    return rows


def _of_status(rows: Any, status: Any) -> Any:
    """Return the rows that show this status: where it was a word of the document, that, and not what it is kept as."""
    if not isinstance(status, str):
        raise InvalidInput.at("/status", "A status is a text.")
    if status in STATUSES:
        return rows.filter(status=STATUSES[status]).labelled(SessionLabel.Kind.METADATA, STATUS_AS_FOUND, status)
    rows = rows.filter(status=status)
    for word in [word for word, kept_as in STATUSES.items() if kept_as == status]:
        shown_otherwise = SessionLabel.objects.filter(
            session=OuterRef("pk"), kind=SessionLabel.Kind.METADATA, key=STATUS_AS_FOUND, value=word
        )
        rows = rows.exclude(Exists(shown_otherwise))
    return rows
