"""What callers hand to the services that write sessions: plain values, checked here once for every door."""

from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any

from config.shared.errors import FieldError, InvalidInput
from sessions_app.models import Session, SessionState, Workflow, WorkflowRun
from sessions_app.models.sessions import LABEL_LENGTH

DOCUMENTS = (
    "agent_config",
    "workflow_config",
    "metadata",
    "context",
    "settings",
    "thread_configs",
    "external_ids",
)
TEXTS = ("session_id", "user_id", "title", "workflow_config_path")
GREATEST_COUNT = 2**31 - 1


@dataclass(slots=True, kw_only=True)
class StateDraft:
    """One version of a session's state (document 000, 2.1.2)."""

    current_step: str = ""
    iteration_count: int | None = None
    max_iterations: int | None = None
    workflow_name: str = ""
    start_time: datetime | None = None
    errors: list[Any] = field(default_factory=list)
    tool_results: list[Any] = field(default_factory=list)
    data: dict[str, Any] = field(default_factory=dict)

    def values(self) -> dict[str, Any]:
        """Return the columns of the state's row."""
        return {column.name: getattr(self, column.name) for column in fields(self)}


@dataclass(slots=True, kw_only=True)
class RunDraft:
    """One run of a workflow (document 000, 2.2.2). `workflow` is the definition's text id.

    `is_counted` says that the workflow's number of uses, brought from elsewhere, holds this run already.
    """

    run_id: str
    workflow: str
    status: str = WorkflowRun.Status.RUNNING.value
    execution_path: list[Any] = field(default_factory=list)
    node_states: dict[str, Any] = field(default_factory=dict)
    current_node: str = ""
    execution_time: float | None = None
    performance_metrics: dict[str, Any] = field(default_factory=dict)
    metadata: dict[str, Any] = field(default_factory=dict)
    started_at: datetime | None = None
    finished_at: datetime | None = None
    is_counted: bool = False


@dataclass(slots=True, kw_only=True)
class SessionDraft:
    """One whole session. `workflow` is the definition's text id; times that are None are the moment of writing.

    `expires_at` is only for what comes from elsewhere with its own end; sessions made here get theirs from
    `ttl_seconds` or the system's SESSION_TTL.
    """

    session_id: str
    user_id: str = ""
    title: str = ""
    status: str = Session.Status.ACTIVE.value
    workflow: str | None = None
    workflow_config_path: str = ""
    tags: list[str] = field(default_factory=list)
    agent_config: dict[str, Any] = field(default_factory=dict)
    workflow_config: dict[str, Any] = field(default_factory=dict)
    metadata: dict[str, Any] = field(default_factory=dict)
    context: dict[str, Any] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)
    thread_configs: dict[str, Any] = field(default_factory=dict)
    external_ids: dict[str, Any] = field(default_factory=dict)
    ttl_seconds: int | None = None
    expires_at: datetime | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
    last_activity_at: datetime | None = None
    state: StateDraft | None = None
    runs: list[RunDraft] = field(default_factory=list)

    def columns(self) -> dict[str, Any]:
        """Return the columns of the session's row that the draft states outright."""
        names = (*TEXTS, "status", "tags", *DOCUMENTS, "ttl_seconds")
        return {name: getattr(self, name) for name in names}

    def check(self) -> None:
        """Raise InvalidInput that names every field which cannot be kept."""
        errors = [*_text_errors(self.columns()), *value_errors(self.columns())]
        if not self.session_id:
            errors.append(FieldError("/session_id", "The id is empty."))
        limit = max_length(Workflow, "workflow_id")
        if self.workflow is not None and not 0 < len(self.workflow) <= limit:
            errors.append(FieldError("/workflow", f"A workflow's id has 1 to {limit} characters."))
        if self.state is not None and len(self.state.current_step) > max_length(SessionState, "current_step"):
            errors.append(FieldError("/state/current_step", "The text is too long."))
        if errors:
            raise InvalidInput(errors)


def value_errors(values: dict[str, Any]) -> Iterator[FieldError]:
    """Yield what is wrong with those of a session's columns that are no plain text."""
    if "status" in values and values["status"] not in Session.Status.values:
        yield FieldError("/status", f"The status is one of: {', '.join(Session.Status.values)}.")
    for number, tag in enumerate(values.get("tags", ())):
        if not isinstance(tag, str) or not 0 < len(tag) <= LABEL_LENGTH:
            yield FieldError(f"/tags/{number}", f"A tag is a text of 1 to {LABEL_LENGTH} characters.")
    for name in DOCUMENTS:
        if name in values and not isinstance(values[name], dict):
            yield FieldError(f"/{name}", "This is a JSON object.")
    ttl = values.get("ttl_seconds")
    if ttl is not None and not 0 <= ttl <= GREATEST_COUNT:
        yield FieldError("/ttl_seconds", f"Seconds from 0 to {GREATEST_COUNT}.")


def _text_errors(values: dict[str, Any]) -> Iterator[FieldError]:
    for name in TEXTS:
        limit = max_length(Session, name)
        if not isinstance(values[name], str) or len(values[name]) > limit:
            yield FieldError(f"/{name}", f"A text of at most {limit} characters.")


def max_length(model: Any, column: str) -> int:
    """Return how many characters a column holds."""
    return int(model._meta.get_field(column).max_length)
