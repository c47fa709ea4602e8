"""Coming back: all that an agent needs to go on with a session, read in a fixed number of queries, with a verdict."""

from typing import Any

from django.db.models import Q, QuerySet

from config.shared.callers import Caller
from history_app.models import Message, Subtask, Task, ToolCall
from history_app.models.tasks import OPEN_WORK
from history_app.selectors.restore_verdict import KnowledgeNames, knowledge_names, verdict_of
from sessions_app.models import KnowledgeSource, Session, SessionState, UserConfig, Workflow
from sessions_app.selectors import session_find

# More open work than this is no longer what an agent goes on with; the verdict says when there is more.
WORK_SHOWN = 1000

Bundle = dict[str, Any]

SESSION_FIELDS = (
    *("session_id", "user_id", "title", "status", "tags", "workflow_config_path", "agent_config", "workflow_config"),
    *("metadata", "context", "settings", "thread_configs", "external_ids", "ttl_seconds", "expires_at"),
    *("created_at", "updated_at", "version"),
)
STATE_FIELDS = (
    *("current_step", "iteration_count", "max_iterations", "workflow_name", "start_time", "errors", "tool_results"),
    *("data", "version", "turn_id", "created_at"),
)
_WORK_TIMES = ("created_at", "updated_at")
TASK_FIELDS = ("id", "record_id", "user_input", "status", "results", "metadata", *_WORK_TIMES)
SUBTASK_FIELDS = (
    *("id", "subtask_index", "description", "expected_output", "actual_output", "status", "context"),
    *("validation_report", *_WORK_TIMES),
)
CALL_FIELDS = ("id", "record_id", "timestamp", "task_id", "tool_name", "tool_input", "metadata")
WORKFLOW_FIELDS = ("workflow_id", "name", "description", "version", "config_path", "nodes", "edges", "config")
SOURCE_FIELDS = ("id", "source_name", "source_path", "source_type", "status", "metadata")
_MESSAGE_FIELDS = ("id", "record_id", "timestamp", "sequence", "role", "content", "structured_content", "metadata")
# What roles that see contents masked do not see, by part.
CONTENTS = {
    "session": ("context",),
    "state": ("errors", "tool_results", "data"),
    "messages": ("content",),
    "open_tasks": ("user_input", "results"),
    "subtasks": ("description", "expected_output", "actual_output", "context", "validation_report"),
    "pending_tool_calls": ("tool_input",),
    "user": ("preferences",),
}


def session_restore(*, caller: Caller, session_id: str, last: int) -> Bundle:
    """Return the session with what belongs to it, in plain values; `last` is how many messages at most.

    The parts are `session` (with its agent config and external ids), `state`, `messages` (oldest first), `open_tasks`
    with their subtasks, `pending_tool_calls` (called, no result), `user` with preferences, `workflow`,
    `knowledge_sources` and the `verdict`: whether something that the session names or counts is missing, by name.
    Raises NotFound, Conflict as `session_find` does.
    """
    session = session_find(caller=caller, session_id=session_id, related=("activity",))
    state = SessionState.objects.current().filter(session=session).first()
    messages = _messages(session, last)
    workflows = _workflows(session, state)
    names = knowledge_names(session)
    sources = _sources(session, names)
    tasks, calls = _open_tasks(session), _pending_calls(session)
    activity = getattr(session, "activity", None)
    workflow = next((row for row in workflows if row.pk == session.workflow_id), None)
    shown = workflow or _named(workflows, state)
    counts = {"message_count": activity.message_count if activity else 0}
    return {
        "session": {
            **_picked(session, SESSION_FIELDS),
            **counts,
            "workflow": workflow.workflow_id if workflow else None,
            "last_activity_at": activity.last_activity_at if activity else None,
        },
        "state": _picked(state, STATE_FIELDS) if state else None,
        "messages": messages,
        "open_tasks": tasks[:WORK_SHOWN],
        "pending_tool_calls": calls[:WORK_SHOWN],
        "user": _user(session),
        "workflow": _picked(shown, WORKFLOW_FIELDS) if shown else None,
        "knowledge_sources": [_picked(row, SOURCE_FIELDS) for row in sources if row.deleted_at is None],
        "verdict": verdict_of(
            session=session,
            state=state,
            workflows=workflows,
            sources=sources,
            names=names,
            messages=(len(messages), min(last, counts["message_count"])),
            cut={"open_tasks": len(tasks) > WORK_SHOWN, "pending_tool_calls": len(calls) > WORK_SHOWN},
        ),
    }


def _picked(row: Any, names: tuple[str, ...]) -> dict[str, Any]:
    return {name: getattr(row, name) for name in names}


def _messages(session: Session, last: int) -> list[dict[str, Any]]:
    rows = Message.objects.filter(session=session).order_by("-sequence").values(*_MESSAGE_FIELDS)[:last]
    found = []
    for row in reversed(rows):
        structured = row.pop("structured_content")
        found.append({**row, "content": row["content"] if structured is None else structured})
    return found


def _open_tasks(session: Session) -> list[dict[str, Any]]:
    """Return the newest open tasks in their order, each with its subtasks, by two queries."""
    rows = Task.objects.filter(session=session, status__in=OPEN_WORK).order_by("-created_at", "-pk")
    tasks = {row["id"]: {**row, "subtasks": []} for row in reversed(rows.values(*TASK_FIELDS)[: WORK_SHOWN + 1])}
    steps = Subtask.objects.filter(task__session=session, task__status__in=OPEN_WORK)
    for step in steps.order_by("task_id", "subtask_index").values("task_id", *SUBTASK_FIELDS):
        task = tasks.get(step.pop("task_id"))
        if task is not None:
            task["subtasks"].append(step)
    return list(tasks.values())


def _pending_calls(session: Session) -> list[dict[str, Any]]:
    rows = ToolCall.objects.filter(session=session, status=ToolCall.Status.PENDING).order_by("timestamp", "pk")
    return list(rows.values(*CALL_FIELDS)[: WORK_SHOWN + 1])


def _user(session: Session) -> dict[str, Any] | None:
    rows = UserConfig.objects.filter(project_id=session.project_id, user_id=session.user_id)
    return rows.values("user_id", "preferences", "version").first()


def _workflows(session: Session, state: SessionState | None) -> list[Workflow]:
    """Return the session's workflow and the one that its state names, where they are there."""
    named = Q(project_id=session.project_id, workflow_id=state.workflow_name if state else "")
    return list(Workflow.objects.filter(Q(pk=session.workflow_id or 0) | named).order_by("pk"))


def _named(workflows: list[Workflow], state: SessionState | None) -> Workflow | None:
    return next((row for row in workflows if state and row.workflow_id == state.workflow_name), None)


def _sources(session: Session, names: KnowledgeNames) -> QuerySet[KnowledgeSource]:
    rows = KnowledgeSource.objects.filter(project_id=session.project_id)
    return rows.filter(Q(pk__in=[0, *names.ids]) | Q(source_name__in=["", *names.texts])).order_by("pk")
