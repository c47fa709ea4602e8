"""Makes one session, and one workflow, of what a file and a table say about it."""

import json
from typing import Any

from backups_app.legacy.history_store.sessions import STATUS_AS_FOUND
from backups_app.legacy.types import Finding, LegacySession, LegacyWorkflow, Level, Reading

# What both sources may say of a session, and where they can contradict each other.
COMPARED = ("status", "created_at", "updated_at", "workflow_config_path", "run_id", "agent_config")
FILLED = ("user_id", "title", "tags", "workflow")


def merge_session(session: LegacySession, row: LegacySession, reading: Reading) -> None:
    """Bring a table row into the session of a file. Where they differ the later `updated_at` wins, or the file."""
    differing = [name for name in COMPARED if _contradicts(getattr(session, name), getattr(row, name))]
    row_wins = session.updated_at is None or (row.updated_at is not None and row.updated_at > session.updated_at)
    if differing:
        _report(session, row, differing, row_wins, reading)
    for name in COMPARED:
        value = getattr(row, name)
        if value and (row_wins or not getattr(session, name)):
            setattr(session, name, value)
    if row_wins:
        session.metadata.pop(STATUS_AS_FOUND, None)
    for name in FILLED:
        if not getattr(session, name):
            setattr(session, name, getattr(row, name))
    for key, value in row.metadata.items():
        if row_wins or key != STATUS_AS_FOUND:
            session.metadata.setdefault(key, value)


def _contradicts(one: Any, other: Any) -> bool:
    return bool(one) and bool(other) and one != other


def _report(session: LegacySession, row: LegacySession, differing: list[str], row_wins: bool, reading: Reading) -> None:
    loser = session if row_wins else row
    kept = {name: getattr(loser, name) for name in differing if name != "agent_config"}
    winner = "row" if row_wins else "file"
    detail = f"{', '.join(differing)} differ between {session.place} and {row.place}; the {winner} wins"
    raw = json.dumps(kept, default=str, ensure_ascii=False)
    reading.report(Finding(Level.CONFLICT, "file_and_row_differ", row.place, detail, "session", raw))


def merge_workflow(workflow: LegacyWorkflow, row: LegacyWorkflow, reading: Reading) -> None:
    """Bring a table row into the workflow of a YAML file: the file's definition counts, the row's usage is added."""
    differing = [key for key in row.definition if key in workflow.definition and _differs(workflow, row, key)]
    if differing:
        detail = f"{', '.join(sorted(differing))} differ between {workflow.place} and {row.place}; the file wins"
        raw = json.dumps({key: row.definition[key] for key in differing}, default=str, ensure_ascii=False)
        reading.report(Finding(Level.CONFLICT, "file_and_row_differ", row.place, detail, "workflow", raw))
    workflow.definition = {**row.definition, **workflow.definition}
    workflow.secrets = {**row.secrets, **workflow.secrets}
    for name in ("title", "description", "version", "config_path", "loaded_at", "last_used"):
        setattr(workflow, name, getattr(workflow, name) or getattr(row, name))
    workflow.usage_count = max(workflow.usage_count, row.usage_count)


def _differs(workflow: LegacyWorkflow, row: LegacyWorkflow, key: str) -> bool:
    found: Any = workflow.definition[key]
    return bool(found != row.definition[key])
