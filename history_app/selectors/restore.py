"""Coming back: all that an agent needs to go on with a session, read in a fixed number of queries, with a verdict."""

from typing import Any

from config.shared.callers import Caller
from config.shared.plain_rows import Document, Row, moment, parsed
from history_app.selectors import restore_rows as rows
from history_app.selectors.restore_rows import Start
from history_app.selectors.restore_verdict import knowledge_names, verdict_of

# More open work than this is no longer what an agent goes on with; the verdict says when there is more.
WORK_SHOWN = 1000

Bundle = dict[str, Any]

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


def session_restore(*, caller: Caller, session_id: str, last: int, document: Document = parsed) -> Bundle:
    """Return the session with what belongs to it, in plain values; `last` is how many messages at most.

    The parts are `session` (with its agent config and external ids), `state`, `messages` (oldest first), `open_tasks`
    with their subtasks, `pending_tool_calls` (called, no result), `user` with preferences, `workflow`,
    `knowledge_sources` and the `verdict`: whether something that the session names or counts is missing, by name.
    `document` makes each JSON document of its stored text. Raises NotFound, Conflict as `session_find` does.
    """
    start = rows.start_read(caller=caller, session_id=session_id)
    state, workflows, names = start.state, rows.workflows_read(start), knowledge_names(start.session)
    messages, sources = rows.messages_read(start, last), rows.sources_read(start, names)
    tasks, calls = _open_tasks(start, document), rows.calls_read(start, WORK_SHOWN + 1)
    workflow = next((row for row in workflows if row["id"] == start.session["workflow"]), None)
    shown = workflow or _named(workflows, state)
    return {
        "session": {
            **rows.SESSION.shown(start.session, document),
            "message_count": start.message_count,
            "workflow": workflow["workflow_id"] if workflow else None,
            "last_activity_at": moment(start.activity["last_activity_at"]) if start.activity else None,
        },
        "state": rows.STATE.shown(state, document) if state else None,
        "messages": [_message(row, document) for row in messages],
        "open_tasks": tasks[:WORK_SHOWN],
        "pending_tool_calls": [rows.CALL.shown(row, document) for row in calls[:WORK_SHOWN]],
        "user": rows.USER.shown(start.user, document) if start.user else None,
        "workflow": rows.WORKFLOW.shown(shown, document) if shown else None,
        "knowledge_sources": [rows.SOURCE.shown(row, document) for row in sources if row["deleted_at"] is None],
        "verdict": verdict_of(
            session=start.session,
            state=state,
            workflows=workflows,
            sources=sources,
            names=names,
            messages=(len(messages), min(last, start.message_count)),
            cut={"open_tasks": len(tasks) > WORK_SHOWN, "pending_tool_calls": len(calls) > WORK_SHOWN},
        ),
    }


def _message(row: Row, document: Document) -> Row:
    found = rows.MESSAGE.shown(row, document)
    structured = found.pop("structured_content")
    if structured is not None:
        found["content"] = structured
    return found


def _open_tasks(start: Start, document: Document) -> list[Row]:
    """Return the newest open tasks in their order, each with its subtasks, by two queries."""
    newest = rows.tasks_read(start, WORK_SHOWN + 1)
    tasks = {row["id"]: {**rows.TASK.shown(row, document), "subtasks": []} for row in newest}
    for step in rows.subtasks_read(start):
        task = tasks.get(step["task_id"])
        if task is not None:
            task["subtasks"].append(rows.SUBTASK.shown(step, document))
    return list(tasks.values())


def _named(workflows: list[Row], state: Row | None) -> Row | None:
    return next((row for row in workflows if state and row["workflow_id"] == state["workflow_name"]), None)
