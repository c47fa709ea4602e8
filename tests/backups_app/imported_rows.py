"""What an import has left in a project, as one checksum that does not depend on row numbers, and its report."""

import hashlib
import json
from typing import Any

from backups_app.models import ImportFinding, ImportOrigin, ImportRun
from history_app.models import ErrorRecord, LLMCall, Message, Metric, Subtask, Task, TokenUsage, ToolCall
from sessions_app.models import (
    KnowledgeSource,
    ProviderKey,
    Session,
    SessionActivity,
    SessionState,
    SystemConfig,
    UserConfig,
    Workflow,
    WorkflowRun,
)

FACTS = (Message, ToolCall, LLMCall, TokenUsage, ErrorRecord, Metric, Task)
_WAYS = {
    **dict.fromkeys((Session, Workflow, WorkflowRun, SystemConfig, UserConfig, KnowledgeSource, *FACTS), "project"),
    **dict.fromkeys((SessionActivity, SessionState), "session__project"),
    **dict.fromkeys((ImportFinding, ImportOrigin), "run__project"),
    Subtask: "task__project",
    ProviderKey: "user_config__project",
}
_NATURAL = {
    "session": "session__session_id",
    "workflow": "workflow__workflow_id",
    "task": "task__record_id",
    "user_config": "user_config__user_id",
}
# Numbers that the database gives out, and what is sealed anew every time.
_OWN = {"id", "project", "run", "sealed", "sealed_secrets", "revision"}


def rows(model: Any, project_id: int) -> list[Any]:
    """The rows of a table that belong to a project, with natural keys in place of numbers."""
    names = [field.name for field in model._meta.concrete_fields if field.name not in _OWN]
    columns = [_NATURAL.get(name, name) for name in names]
    found = model._base_manager.filter(**{_WAYS[model]: project_id}).values_list(*columns)
    return sorted(json.dumps(list(row), default=str, sort_keys=True) for row in found)


def checksum(project_id: int) -> str:
    """One checksum over all that an import can write."""
    told = {model.__name__: rows(model, project_id) for model in _WAYS}
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


def outcome(run: ImportRun) -> dict[str, Any]:
    """What the run's row says of it."""
    return {"status": run.status, "counts": run.counts, "sums": run.sums, "position": run.position}
