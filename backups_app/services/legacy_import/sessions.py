"""Brings in sessions with their states and workflow runs, in batches."""

from dataclasses import asdict, replace
from datetime import tzinfo
from typing import Any

from backups_app.legacy.times import time_read, times_assumed
from backups_app.legacy.types import LegacySession
from backups_app.services.legacy_import.conflicts import (
    OnConflict,
    beside_id,
    kept_beside_finding,
    replaced_finding,
)
from backups_app.services.legacy_import.items import ImportContext
from sessions_app.models import Session, Workflow, WorkflowRun
from sessions_app.services.drafts import GREATEST_COUNT, RunDraft, SessionDraft, StateDraft
from sessions_app.services.session_batches import SessionOutcome, sessions_write

BATCH_SESSIONS = 200
RESULTS = {"new": "new", "same": "same", "conflict": "conflicting", "rejected": "rejected"}
RUN_STATUSES = {"active": "running", "completed": "completed", "failed": "failed", "expired": "cancelled"}
STEP_LENGTH = 255


class SessionImport:
    """Collects the sessions of a batch, and writes them some at a time."""

    def __init__(self, context: ImportContext) -> None:
        self._context = context
        self._waiting: list[LegacySession] = []

    def add(self, session: LegacySession) -> None:
        """Take one session on."""
        counts = self._context.report.kinds
        counts["session"].read += 1
        counts["session"].zoneless += _zoneless(session)
        counts["state"].read += session.state is not None
        counts["workflow_run"].read += has_run(session)
        self._waiting.append(session)

    def flush(self) -> None:
        """Write what is waiting."""
        waiting, self._waiting = self._waiting, []
        for start in range(0, len(waiting), BATCH_SESSIONS):
            self._write(waiting[start : start + BATCH_SESSIONS])

    def _write(self, sessions: list[LegacySession]) -> None:
        context = self._context
        run_ids = [session.run_id for session in sessions if has_run(session)]
        runs_before = _runs(context.project_id, run_ids)
        drafts = [session_draft(session, context) for session in sessions]
        there = _stored(context.project_id, drafts)
        workflows = _workflows(context.project_id, drafts)
        before = self._contents(drafts)
        outcomes = sessions_write(
            project_id=context.project_id, drafts=drafts, now=context.now, replacing=before is not None
        )
        runs_after = _runs(context.project_id, run_ids)
        for name in sorted(_workflows(context.project_id, drafts) - workflows):
            context.brought("named_workflow", name, None)
        contradicting = []
        for session, draft, outcome in zip(sessions, drafts, outcomes, strict=True):
            if outcome.result == "conflict" and context.on_conflict == OnConflict.BOTH:
                contradicting.append((session, draft))
            elif outcome.result == "replaced":
                self._replaced(session, outcome, (before or {})[session.session_id])
            else:
                self._settle(session, draft, outcome, filled=session.session_id in there)
            if has_run(session):
                self._settle_run(session, outcome, runs_before, runs_after)
        self._keep_beside(contradicting)

    def _contents(self, drafts: list[SessionDraft]) -> dict[str, dict[str, Any]] | None:
        """What is stored of these sessions, where it may be replaced; None where it may not."""
        if self._context.on_conflict != OnConflict.REPLACE:
            return None
        ids = [draft.session_id for draft in drafts]
        rows = Session.objects.filter(project_id=self._context.project_id, session_id__in=ids)
        return {row.session_id: _content(row) for row in rows}

    def _replaced(self, session: LegacySession, outcome: SessionOutcome, before: dict[str, Any]) -> None:
        context = self._context
        context.sessions.add(session.session_id)
        context.settle("session", "conflicting", repaired=session.repaired, solved="replaced")
        if session.state is not None:
            context.settle("state", "conflicting", solved="replaced")
        context.log.add_note(replaced_finding("session", session, session.session_id, before))
        context.brought("replaced_session", session.session_id, session.place, outcome.pk, _zoneless(session))

    def _keep_beside(self, contradicting: list[tuple[LegacySession, SessionDraft]]) -> None:
        """Store sessions under ids of their own; the records that come for them from this store follow."""
        context = self._context
        drafts = []
        for session, draft in contradicting:
            name = _beside_id(draft)
            context.renamed[session.session_id] = name
            drafts.append(replace(draft, session_id=name, runs=[]))
        outcomes = sessions_write(project_id=context.project_id, drafts=drafts, now=context.now)
        for (session, _former), draft, outcome in zip(contradicting, drafts, outcomes, strict=True):
            is_new = outcome.result == "new"
            result, solved = ("conflicting", "both") if is_new else (RESULTS[outcome.result], "")
            context.settle("session", result, repaired=session.repaired, solved=solved)
            if session.state is not None:
                context.settle("state", result, solved=solved)
            context.sessions.add(draft.session_id)
            if is_new:
                context.log.add_note(kept_beside_finding("session", session, draft.session_id))
                self._brought(session, draft, outcome, "session")

    def _brought(self, session: LegacySession, draft: SessionDraft, outcome: SessionOutcome, kind: str) -> None:
        """Keep where a session comes from, and its state, which begins with it."""
        zoneless, name = _zoneless(session), draft.session_id
        self._context.brought(kind, name, session.place, outcome.pk, zoneless)
        if draft.state is not None:
            zoneless += times_assumed(draft.state.start_time)
            self._context.brought("state", name, session.place, outcome.pk, zoneless)

    def _settle(self, session: LegacySession, draft: SessionDraft, outcome: SessionOutcome, *, filled: bool) -> None:
        context, result = self._context, RESULTS[outcome.result]
        context.settle("session", result, repaired=session.repaired)
        if session.state is not None:
            context.settle("state", result)
        if result == "rejected":
            why = "; ".join(f"{error.pointer}: {error.detail}" for error in outcome.errors)
            context.refuse("session", session.place, why, asdict(session_draft(session, context)))
            return
        context.sessions.add(session.session_id)
        if result == "new":
            # A placeholder that was there before is not the run's own session.
            kind = "filled_session" if filled else "session"
            self._brought(session, draft, outcome, kind)
        if result == "conflicting":
            why = f"the session {session.session_id!r:.300} is stored with another content, which stays"
            context.contradict("session", session.place, why, asdict(session_draft(session, context)))

    def _settle_run(
        self, session: LegacySession, outcome: SessionOutcome, before: dict[str, str], after: dict[str, str]
    ) -> None:
        """A run is its session's own when it is stored with it; another session may have taken its id before."""
        context, run_id = self._context, session.run_id
        if outcome.result == "rejected":
            context.settle("workflow_run", "rejected")
        elif before.get(run_id, after.get(run_id)) == session.session_id:
            result = "new" if outcome.result == "new" and run_id not in before else "same"
            context.settle("workflow_run", result)
            if result == "new":
                context.brought("workflow_run", run_id, session.place, outcome.pk, _zoneless(session))
        else:
            context.settle("workflow_run", "conflicting")
            detail = f"the run {run_id!r:.300} belongs to another session; the session keeps it in its metadata alone"
            context.contradict("workflow_run", session.place, detail, {"run_id": run_id, "session": session.session_id})


def renamed_recall(sessions: list[LegacySession], context: ImportContext) -> None:
    """Know again which of these sessions, which are committed, are kept beside stored ones."""
    for start in range(0, len(sessions), BATCH_SESSIONS):
        some = sessions[start : start + BATCH_SESSIONS]
        beside = {_beside_id(session_draft(session, context)): session.session_id for session in some}
        rows = Session.objects.filter(project_id=context.project_id, session_id__in=beside)
        context.renamed |= {beside[name]: name for name in rows.values_list("session_id", flat=True)}


def _beside_id(draft: SessionDraft) -> str:
    return beside_id(draft.session_id, asdict(draft))


def _content(row: Session) -> dict[str, Any]:
    return {field.name: field.value_from_object(row) for field in row._meta.concrete_fields}


def _zoneless(session: LegacySession) -> int:
    return times_assumed(session.created_at, session.updated_at)


def has_run(session: LegacySession) -> bool:
    """Whether the session names a run of a workflow that is known by name."""
    return bool(session.run_id and session.workflow)


def _stored(project_id: int, drafts: list[SessionDraft]) -> set[str]:
    """The ids of those of these sessions that are stored already."""
    rows = Session.objects.filter(project_id=project_id, session_id__in=[draft.session_id for draft in drafts])
    return set(rows.values_list("session_id", flat=True))


def _workflows(project_id: int, drafts: list[SessionDraft]) -> set[str]:
    """The ids of those of these sessions' workflows that are stored already."""
    names = {name for draft in drafts for name in (draft.workflow, *(run.workflow for run in draft.runs)) if name}
    rows = Workflow.objects.filter(project_id=project_id, workflow_id__in=names)
    return set(rows.values_list("workflow_id", flat=True))


def _runs(project_id: int, run_ids: list[str]) -> dict[str, str]:
    """The session of each of these runs, by the run's id."""
    rows = WorkflowRun.objects.filter(project_id=project_id, run_id__in=run_ids)
    return dict(rows.values_list("run_id", "session__session_id"))


def session_draft(session: LegacySession, context: ImportContext) -> SessionDraft:
    """The session as the service takes it. The run's id stays in the metadata too, where a filter finds it."""
    metadata = {**session.metadata, "workflow_id": session.run_id} if session.run_id else session.metadata
    return SessionDraft(
        session_id=session.session_id,
        user_id=session.user_id,
        title=session.title,
        status=session.status,
        workflow=session.workflow or None,
        workflow_config_path=session.workflow_config_path,
        tags=session.tags,
        agent_config=session.agent_config,
        workflow_config=session.workflow_config,
        metadata=metadata,
        created_at=session.created_at,
        updated_at=session.updated_at,
        state=None if session.state is None else state_draft(session.state, context.zone),
        runs=[run_draft(session, context)] if has_run(session) else [],
        **session.documents,
    )


def state_draft(state: dict[str, Any], zone: tzinfo) -> StateDraft:
    """The state with its typed fields; what has another type than its field, and every other key, is in `data`."""
    data = dict(state)
    draft = StateDraft(data=data)
    for name, fits in _STATE_FIELDS.items():
        if name in data and fits(data[name]):
            setattr(draft, name, data.pop(name))
    moment = time_read(data.get("start_time"), zone)
    if moment is not None:
        draft.start_time = moment
        del data["start_time"]
    return draft


def _is_count(value: Any) -> bool:
    return type(value) is int and 0 <= value <= GREATEST_COUNT


def _is_short_text(value: Any) -> bool:
    return type(value) is str and len(value) <= STEP_LENGTH


def _is_list(value: Any) -> bool:
    return type(value) is list


_STATE_FIELDS = {
    "current_step": _is_short_text,
    "workflow_name": _is_short_text,
    "iteration_count": _is_count,
    "max_iterations": _is_count,
    "errors": _is_list,
    "tool_results": _is_list,
}


def run_draft(session: LegacySession, context: ImportContext) -> RunDraft:
    """The run that the session was: it began and, where it is over, ended with it."""
    started, ended = session.created_at, session.updated_at
    took = None
    if session.status in ("completed", "failed") and started is not None and ended is not None and ended >= started:
        took = (ended - started).total_seconds()
    step = (session.state or {}).get("current_step")
    return RunDraft(
        run_id=session.run_id,
        workflow=session.workflow,
        status=RUN_STATUSES.get(session.status, "paused"),
        current_node=str(step) if _is_short_text(step) else "",
        execution_time=took,
        started_at=started,
        finished_at=None if took is None else ended,
        is_counted=session.workflow in context.counted_workflows,
    )
