"""Many sessions at once: what an import and a batch write, in a number of statements that does not grow with it."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, Literal

from django.db import IntegrityError, transaction

from config.shared.bulk_rows import rows_insert
from config.shared.errors import Conflict, FieldError, InvalidInput
from sessions_app.models import Event, Session, SessionActivity, SessionState, Workflow, WorkflowRun
from sessions_app.services.drafts import RunDraft, SessionDraft, StateDraft
from sessions_app.services.events import events_record
from sessions_app.services.expiry import expiry_after
from sessions_app.services.labels import labels_replace
from sessions_app.services.locks import session_locked
from sessions_app.services.run_batches import runs_store
from sessions_app.services.workflows import workflow_ensure

ATTEMPTS = 5
IDS_PER_STATEMENT = 500
PLACEHOLDER = "placeholder"
_RUN_COLUMNS = tuple(column.name for column in fields(RunDraft) if column.name not in ("workflow", "is_counted"))


@dataclass(slots=True)
class SessionOutcome:
    """What became of one draft.

    It is `new`, the `same` as stored, in `conflict` with it (what is stored stays), `replaced` it, or is `rejected`.
    """

    result: Literal["new", "same", "conflict", "replaced", "rejected"]
    pk: int | None = None
    errors: tuple[FieldError, ...] = ()


def sessions_write(
    *,
    project_id: int,
    drafts: Sequence[SessionDraft],
    now: datetime,
    expiring: bool = False,
    replacing: bool = False,
) -> list[SessionOutcome]:
    """Write many sessions in one transaction, and say of each draft what became of it.

    A stored session is never overwritten, except a placeholder (made when records came before their session), which
    the draft fills, and with `replacing`, which makes the draft the next version of session and state. New runs that
    come along are counted as uses of their workflow, unless they say that they are.
    `expiring` is for sessions that live here: new ones get their sliding expiry, and those outside are told of them.
    Without it, for what is brought in, they keep the `expires_at` of the draft, and nobody is told of old news.
    """
    outcomes = [_checked(draft) for draft in drafts]
    for _attempt in range(ATTEMPTS):
        try:
            with transaction.atomic():
                return _Batch(project_id, now, expiring, replacing).write(drafts, list(outcomes))
        except IntegrityError:
            # Somebody else made one of these sessions in between: look again.
            continue
    raise Conflict("Other writers keep making sessions of the same ids.")


def _checked(draft: SessionDraft) -> SessionOutcome | None:
    try:
        draft.check()
    except InvalidInput as error:
        return SessionOutcome("rejected", errors=tuple(error.errors))
    return None


class _Batch:
    """One attempt to write a batch."""

    def __init__(self, project_id: int, now: datetime, expiring: bool, replacing: bool) -> None:
        self.project_id = project_id
        self.now = now
        self.expiring = expiring
        self.replacing = replacing
        self.workflows: dict[str, Workflow] = {}

    def write(self, drafts: Sequence[SessionDraft], outcomes: list[Any]) -> list[SessionOutcome]:
        """Compare each draft that has no outcome yet with what is stored, and write those that are new."""
        good = [number for number, outcome in enumerate(outcomes) if outcome is None]
        stored = self._stored([drafts[number].session_id for number in good])
        states = _current_states([session.pk for session in stored.values()])
        first: dict[str, int] = {}
        replaced: set[str] = set()
        for number in good:
            draft, session = drafts[number], stored.get(drafts[number].session_id)
            if session is not None and not _is_placeholder(session, draft):
                # A placeholder says no more than that there is such a session.
                same = bool(draft.metadata.get(PLACEHOLDER)) or (
                    is_same(session, draft) and _same_state(states.get(session.pk), draft.state)
                )
                if same or not self.replacing:
                    outcomes[number] = SessionOutcome("same" if same else "conflict", session.pk)
                    continue
                replaced.add(draft.session_id)
            if draft.session_id in first:
                outcomes[number] = SessionOutcome("same" if drafts[first[draft.session_id]] == draft else "conflict")
            else:
                first[draft.session_id] = number
        rows = self._store([drafts[number] for number in first.values()], stored, states)
        for session_id, number in first.items():
            outcomes[number] = SessionOutcome("replaced" if session_id in replaced else "new", rows[session_id].pk)
        return outcomes

    def _stored(self, session_ids: list[str]) -> dict[str, Session]:
        rows = Session.objects.filter(project_id=self.project_id).select_related("workflow")
        found = (rows.filter(session_id__in=some) for some in _chunks(session_ids))
        return {row.session_id: row for some in found for row in some}

    def _store(
        self, drafts: list[SessionDraft], stored: dict[str, Session], states: dict[int, SessionState]
    ) -> dict[str, Session]:
        named = {draft.workflow for draft in drafts if draft.workflow}
        followed = {run.workflow for draft in drafts for run in draft.runs}
        ids = sorted(named | followed)
        self.workflows = workflow_ensure(project_id=self.project_id, workflow_ids=ids, now=self.now)
        fresh = [draft for draft in drafts if draft.session_id not in stored]
        filled = [draft for draft in drafts if draft.session_id in stored]
        sessions = {**self._insert(fresh), **self._fill(filled, stored)}
        self._tell(fresh, Event.Kind.SESSION_CREATED)
        self._tell(filled, Event.Kind.SESSION_UPDATED)
        changed = [draft for draft in drafts if self._has_next_state(states.get(sessions[draft.session_id].pk), draft)]
        versions = self._states_left(changed, sessions, states)
        rows_insert(_states(changed, sessions, versions))
        runs_store(self.project_id, list(self._runs(drafts, sessions)))
        return sessions

    def _has_next_state(self, current: SessionState | None, draft: SessionDraft) -> bool:
        return current is None or (self.replacing and not _same_state(current, draft.state))

    def _states_left(
        self, drafts: list[SessionDraft], sessions: dict[str, Session], states: dict[int, SessionState]
    ) -> dict[int, int]:
        """Make checkpoints of the states that are replaced, and return the next version of each session's state."""
        left = [states[sessions[draft.session_id].pk] for draft in drafts if sessions[draft.session_id].pk in states]
        if left:
            SessionState.objects.filter(pk__in=[state.pk for state in left]).update(is_current=None)
        return {state.session_id: state.version + 1 for state in left}

    def _tell(self, drafts: list[SessionDraft], kind: str) -> None:
        if self.expiring and drafts:
            names = [(draft.session_id, None) for draft in drafts]
            events_record(project_id=self.project_id, kind=kind, subjects=names, now=self.now)

    def _insert(self, drafts: list[SessionDraft]) -> dict[str, Session]:
        rows = [Session(project_id=self.project_id, **self._columns(draft)) for draft in drafts]
        rows_insert(rows)
        activities = [
            SessionActivity(session=row, last_activity_at=draft.last_activity_at or row.updated_at)
            for row, draft in zip(rows, drafts, strict=True)
        ]
        rows_insert(activities)
        labels_replace(sessions=rows, are_new=True)
        return {row.session_id: row for row in rows}

    def _fill(self, drafts: list[SessionDraft], stored: dict[str, Session]) -> dict[str, Session]:
        sessions = {draft.session_id: stored[draft.session_id] for draft in drafts}
        for draft in sorted(drafts, key=lambda draft: stored[draft.session_id].pk):
            session = sessions[draft.session_id]
            session_locked(pk=session.pk)
            for name, value in self._columns(draft).items():
                setattr(session, name, value)
            session.version += 1
            session.save(force_update=True)
        labels_replace(sessions=sessions.values())
        return sessions

    def _columns(self, draft: SessionDraft) -> dict[str, Any]:
        created = draft.created_at or self.now
        ends = draft.expires_at
        if self.expiring:
            ends = expiry_after(ttl_seconds=draft.ttl_seconds, status=draft.status, now=self.now)
        return {
            **draft.columns(),
            "workflow": self.workflows[draft.workflow] if draft.workflow else None,
            "created_at": created,
            "updated_at": draft.updated_at or created,
            "expires_at": ends,
        }

    def _runs(self, drafts: list[SessionDraft], sessions: dict[str, Session]) -> Iterator[tuple[WorkflowRun, bool]]:
        for draft in drafts:
            session = sessions[draft.session_id]
            for run in draft.runs:
                values = {name: getattr(run, name) for name in _RUN_COLUMNS}
                values["started_at"] = run.started_at or session.created_at
                workflow = self.workflows[run.workflow]
                row = WorkflowRun(project_id=self.project_id, workflow=workflow, session=session, **values)
                yield row, run.is_counted


def _chunks(values: list[Any]) -> Iterator[list[Any]]:
    for start in range(0, len(values), IDS_PER_STATEMENT):
        yield values[start : start + IDS_PER_STATEMENT]


def _current_states(pks: list[int]) -> dict[int, SessionState]:
    found = (SessionState.objects.current().filter(session__in=some) for some in _chunks(pks))
    return {state.session_id: state for some in found for state in some}


def _is_placeholder(session: Session, draft: SessionDraft) -> bool:
    return bool(session.metadata.get(PLACEHOLDER)) and not draft.metadata.get(PLACEHOLDER)


def is_same(session: Session, draft: SessionDraft) -> bool:
    """Return whether a stored session holds what the draft states."""
    workflow = session.workflow.workflow_id if session.workflow else None
    return (
        all(getattr(session, name) == value for name, value in draft.columns().items())
        and workflow == (draft.workflow or None)
        and all(getattr(draft, name) in (None, getattr(session, name)) for name in ("created_at", "updated_at"))
    )


def _same_state(stored: SessionState | None, draft: StateDraft | None) -> bool:
    if draft is None:
        return True
    return stored is not None and all(getattr(stored, name) == value for name, value in draft.values().items())


def _states(
    drafts: Iterable[SessionDraft], sessions: dict[str, Session], versions: dict[int, int]
) -> list[SessionState]:
    return [
        SessionState(
            session=sessions[draft.session_id],
            version=versions.get(sessions[draft.session_id].pk, 1),
            is_current=True,
            created_at=sessions[draft.session_id].updated_at,
            **draft.state.values(),
        )
        for draft in drafts
        if draft.state is not None
    ]
