"""The rows behind a restored session: statements written once, in the form of every database."""

# The parts that statements are put together from are names of our own; values are always parameters.
# ruff: noqa: S608

from dataclasses import dataclass
from typing import Any

from config.shared.callers import Caller
from config.shared.plain_rows import Columns, Row, fetched, marks
from history_app.models import Message, Subtask, Task, ToolCall
from history_app.models.tasks import OPEN_WORK
from history_app.selectors.restore_verdict import KnowledgeNames
from sessions_app.models import (
    KnowledgeSource,
    Session,
    SessionActivity,
    SessionDeletion,
    SessionState,
    UserConfig,
    Workflow,
)
from sessions_app.selectors import only_one

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

SESSION = Columns(Session, "s", SESSION_FIELDS, also=("id", "project_id", "workflow"))
ACTIVITY = Columns(SessionActivity, "a", ("last_activity_at",), also=("session", "message_count", "last_sequence"))
STATE = Columns(SessionState, "t", STATE_FIELDS, also=("id",))
USER = Columns(UserConfig, "u", ("user_id", "preferences", "version"), also=("id",))
WORKFLOW = Columns(Workflow, "w", WORKFLOW_FIELDS, also=("id",))
SOURCE = Columns(KnowledgeSource, "k", SOURCE_FIELDS, also=("deleted_at",))
MESSAGE = Columns(Message, "m", _MESSAGE_FIELDS)
TASK = Columns(Task, "t", TASK_FIELDS)
SUBTASK = Columns(Subtask, "b", SUBTASK_FIELDS, also=("task_id",))
CALL = Columns(ToolCall, "c", CALL_FIELDS)

_START = (
    f"SELECT {SESSION.sql}, {ACTIVITY.sql}, {STATE.sql}, {USER.sql} FROM {SESSION.source} "
    f"LEFT JOIN {ACTIVITY.source} ON a.session_id = s.id "
    f"LEFT JOIN {STATE.source} ON t.session_id = s.id AND t.is_current = TRUE "
    f"LEFT JOIN {USER.source} ON u.project_id = s.project_id AND u.user_id = s.user_id "
    f"WHERE s.session_id = %s "
    f"AND NOT EXISTS (SELECT 1 FROM {SessionDeletion._meta.db_table} d WHERE d.session_id = s.id)"
)
_WORKFLOWS = (
    f"SELECT {WORKFLOW.sql} FROM {WORKFLOW.source} "
    f"WHERE w.id = %s OR (w.project_id = %s AND w.workflow_id = %s) ORDER BY w.id"
)
_SOURCES = f"SELECT {SOURCE.sql} FROM {SOURCE.source} WHERE k.project_id = %s AND "
# No more rows than the numbers between, and so no statistics, can mislead the planner into another way.
_MESSAGES = (
    f"SELECT {MESSAGE.sql} FROM {MESSAGE.source} "
    f"WHERE m.session_id = %s AND m.sequence > %s ORDER BY m.sequence DESC LIMIT %s"
)
_OPEN = f"t.session_id = %s AND t.status IN ({marks(OPEN_WORK)})"
_TASKS = f"SELECT {TASK.sql} FROM {TASK.source} WHERE {_OPEN} ORDER BY t.created_at DESC, t.id DESC LIMIT %s"
_SUBTASKS = (
    f"SELECT {SUBTASK.sql} FROM {SUBTASK.source} INNER JOIN {TASK.source} ON t.id = b.task_id "
    f"WHERE {_OPEN} ORDER BY b.task_id, b.subtask_index"
)
_CALLS = (
    f"SELECT {CALL.sql} FROM {CALL.source} "
    f"WHERE c.session_id = %s AND c.status = %s ORDER BY c.timestamp, c.id LIMIT %s"
)
_OPEN_VALUES = tuple(str(status) for status in OPEN_WORK)


@dataclass(frozen=True, slots=True)
class Start:
    """What every restored session begins with; None is what it never had."""

    session: Row
    activity: Row | None
    state: Row | None
    user: Row | None

    @property
    def message_count(self) -> int:
        """How many messages there should be."""
        return int(self.activity["message_count"]) if self.activity else 0

    @property
    def last_sequence(self) -> int:
        """The number that the newest message had when this was read, or has gone beyond since."""
        return int(self.activity["last_sequence"]) if self.activity else 0


def start_read(*, caller: Caller, session_id: str) -> Start:
    """Return the one session of this id that the caller may see. Raises NotFound, Conflict as `session_find` does."""
    statement = _START
    parameters: tuple[Any, ...] = (session_id,)
    if caller.project_ids is not None:
        # No project has the number 0, and a list may not be empty.
        projects = (0, *caller.project_ids)
        statement, parameters = f"{_START} AND s.project_id IN ({marks(projects)})", (session_id, *projects)
    values = iter(only_one(fetched(f"{statement} LIMIT 2", parameters)))
    session, activity, state, user = (
        columns.row([next(values) for _ in range(len(columns))]) for columns in (SESSION, ACTIVITY, STATE, USER)
    )
    return Start(
        session=session,
        activity=activity if activity["session"] is not None else None,
        state=state if state["id"] is not None else None,
        user=user if user["id"] is not None else None,
    )


def messages_read(start: Start, last: int) -> list[Row]:
    """Return the last messages that there are, oldest first.

    Numbers of removed messages are never given out again. Where that leaves fewer than `last`, older ones are read.
    """
    session, before = start.session["id"], start.last_sequence - last
    rows = fetched(_MESSAGES, [session, before, last])
    if len(rows) < last and before > 0:
        rows = fetched(_MESSAGES, [session, 0, last])
    return [MESSAGE.row(values) for values in reversed(rows)]


def workflows_read(start: Start) -> list[Row]:
    """Return the session's workflow and the one that its state names, where they are there."""
    named = start.state["workflow_name"] if start.state else ""
    session = start.session
    rows = fetched(_WORKFLOWS, [session["workflow"] or 0, session["project_id"], named])
    return [WORKFLOW.row(values) for values in rows]


def sources_read(start: Start, names: KnowledgeNames) -> list[Row]:
    """Return the knowledge sources of these ids and names, deleted ones too."""
    ids, texts = [0, *names.ids], ["", *names.texts]
    statement = f"{_SOURCES} (k.id IN ({marks(ids)}) OR k.source_name IN ({marks(texts)})) ORDER BY k.id"
    return [SOURCE.row(values) for values in fetched(statement, [start.session["project_id"], *ids, *texts])]


def tasks_read(start: Start, limit: int) -> list[Row]:
    """Return the newest open tasks, oldest first."""
    rows = fetched(_TASKS, [start.session["id"], *_OPEN_VALUES, limit])
    return [TASK.row(values) for values in reversed(rows)]


def subtasks_read(start: Start) -> list[Row]:
    """Return the subtasks of open tasks by task, in their order."""
    return [SUBTASK.row(values) for values in fetched(_SUBTASKS, [start.session["id"], *_OPEN_VALUES])]


def calls_read(start: Start, limit: int) -> list[Row]:
    """Return the calls that wait for a result, oldest first."""
    rows = fetched(_CALLS, [start.session["id"], ToolCall.Status.PENDING.value, limit])
    return [CALL.row(values) for values in rows]
