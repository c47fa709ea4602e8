"""Writes small stores in the layout of document 000."""

import json
import shutil
import sqlite3
from pathlib import Path
from typing import Any

SCHEMA = """
CREATE TABLE sessions (session_id TEXT PRIMARY KEY, workflow_config_path TEXT NOT NULL, workflow_id TEXT,
  status TEXT DEFAULT 'active', created_at TIMESTAMP, updated_at TIMESTAMP, agent_config TEXT, metadata TEXT);
CREATE TABLE workflows (workflow_id TEXT PRIMARY KEY, name TEXT NOT NULL, description TEXT, version TEXT,
  config_path TEXT, loaded_at TIMESTAMP, last_used TIMESTAMP, usage_count INTEGER DEFAULT 0, config_data TEXT);
CREATE TABLE statistics (id INTEGER PRIMARY KEY AUTOINCREMENT, session_id TEXT, metric_type TEXT NOT NULL,
  metric_value REAL NOT NULL, timestamp TIMESTAMP);
CREATE TABLE errors (id INTEGER PRIMARY KEY AUTOINCREMENT, session_id TEXT, error_type TEXT NOT NULL,
  error_message TEXT NOT NULL, stack_trace TEXT, severity TEXT DEFAULT 'error', timestamp TIMESTAMP);
CREATE TABLE configurations (key TEXT PRIMARY KEY, value TEXT NOT NULL, config_type TEXT NOT NULL,
  updated_at TIMESTAMP);
"""


def write(root: Path, name: str, content: str | bytes) -> Path:
    """Write one file of a store."""
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def write_session(root: Path, session_id: str, *, state: dict[str, Any] | None = None, **metadata: Any) -> None:
    """Write `sessions/<id>.json`."""
    given = {
        "session_id": session_id,
        "workflow_config_path": "configs/workflows/react.yaml",
        "workflow_id": f"run-{session_id}",
        "agent_config": {"model": "gpt-4o"},
        "created_at": "2026-10-01T08:00:00Z",
        "updated_at": "2026-10-01T09:00:00Z",
        "status": "active",
        **metadata,
    }
    document = {"metadata": given, "state": state or {}, "workflow_config": {}}
    write(root, f"sessions/{session_id}.json", json.dumps(document, ensure_ascii=False))


def record(record_type: str, session_id: str, number: int, **fields: Any) -> dict[str, Any]:
    """A record of a history file, one second after the one before."""
    return {
        "record_id": f"{record_type}_{number}",
        "session_id": session_id,
        "timestamp": f"2026-10-01T08:{number // 60:02d}:{number % 60:02d}Z",
        "record_type": record_type,
        **fields,
    }


def message(session_id: str, number: int, content: Any = "hello", **fields: Any) -> dict[str, Any]:
    """A message of a history file."""
    return record("message", session_id, number, message_type="user", content=content, metadata={}, **fields)


def write_history(root: Path, session_id: str, records: list[Any], month: str = "202610") -> None:
    """Write `history/<month>/<id>.jsonl`; a text among the records is written as the line that it is."""
    lines = [item if isinstance(item, str) else json.dumps(item, ensure_ascii=False) for item in records]
    write(root, f"history/{month}/{session_id}.jsonl", "".join(f"{line}\n" for line in lines))


def write_database(path: Path, rows: dict[str, list[tuple[Any, ...]]], schema: str = SCHEMA) -> None:
    """Write a `metadata.db` with these rows by table, each with all columns (`id` as None)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    connection = sqlite3.connect(path)
    connection.executescript(schema)
    for table, values in rows.items():
        for row in values:
            connection.execute(f"INSERT INTO {table} VALUES ({', '.join('?' * len(row))})", row)
    connection.commit()
    connection.close()


def session_row(session_id: str, **columns: Any) -> tuple[Any, ...]:
    """A row of the table sessions."""
    given = {
        "workflow_config_path": "configs/workflows/react.yaml",
        "workflow_id": f"run-{session_id}",
        "status": "active",
        "created_at": "2026-10-01T08:00:00Z",
        "updated_at": "2026-10-01T09:00:00Z",
        "agent_config": '{"model": "gpt-4o"}',
        "metadata": "{}",
        **columns,
    }
    return (session_id, *given.values())


def back_up(store: Path, backups: Path, name: str, created_at: str | None) -> Path:
    """Make a backup as the system of document 000 did: the database, history, sessions, and last what it is."""
    folder = backups / name
    folder.mkdir(parents=True)
    database = store / "sessions" / "metadata.db"
    if database.exists():
        shutil.copy2(database, folder / "metadata.db")
    for room in ("history", "sessions"):
        if (store / room).exists():
            shutil.copytree(store / room, folder / room)
    if created_at is not None:
        told = {"backup_name": name, "created_at": created_at, "data_path": str(store), "backup_path": str(folder)}
        write(folder, "metadata.json", json.dumps(told, indent=2))
    return folder
