"""Writes small stores in the layout of document 002."""

import json
import sqlite3
from pathlib import Path
from typing import Any

SCHEMA = """
CREATE TABLE task_history (task_id INTEGER PRIMARY KEY AUTOINCREMENT, session_id TEXT NOT NULL,
  user_input TEXT NOT NULL, subtasks JSON, results JSON, status TEXT DEFAULT 'pending',
  created_at DATETIME DEFAULT CURRENT_TIMESTAMP, updated_at DATETIME DEFAULT CURRENT_TIMESTAMP);
CREATE TABLE subtasks (subtask_id INTEGER PRIMARY KEY AUTOINCREMENT, task_id INTEGER, subtask_index INTEGER,
  description TEXT NOT NULL, expected_output TEXT, actual_output TEXT, status TEXT DEFAULT 'pending', context JSON,
  validation_report JSON, created_at DATETIME DEFAULT CURRENT_TIMESTAMP, updated_at DATETIME DEFAULT CURRENT_TIMESTAMP,
  FOREIGN KEY (task_id) REFERENCES task_history (task_id));
CREATE TABLE system_config (config_key TEXT PRIMARY KEY, config_value TEXT, description TEXT,
  updated_at DATETIME DEFAULT CURRENT_TIMESTAMP);
CREATE TABLE user_config (user_id TEXT PRIMARY KEY, preferences JSON, api_keys JSON, usage_stats JSON,
  created_at DATETIME DEFAULT CURRENT_TIMESTAMP, updated_at DATETIME DEFAULT CURRENT_TIMESTAMP);
CREATE TABLE knowledge_sources (source_id INTEGER PRIMARY KEY AUTOINCREMENT, source_name TEXT NOT NULL,
  source_path TEXT NOT NULL, source_type TEXT NOT NULL, metadata JSON, status TEXT DEFAULT 'active',
  created_at DATETIME DEFAULT CURRENT_TIMESTAMP, updated_at DATETIME DEFAULT CURRENT_TIMESTAMP);
CREATE TABLE tool_logs (log_id INTEGER PRIMARY KEY AUTOINCREMENT, task_id INTEGER, tool_name TEXT NOT NULL,
  tool_args JSON, tool_result JSON, execution_time REAL, status TEXT DEFAULT 'success', error_message TEXT,
  created_at DATETIME DEFAULT CURRENT_TIMESTAMP, FOREIGN KEY (task_id) REFERENCES task_history (task_id));
CREATE INDEX idx_subtasks_task ON subtasks(task_id);
CREATE INDEX idx_tool_logs_task ON tool_logs(task_id);
"""
DAY = "2026-10-01"
KEY = "sk-FAKE0123456789abcdef0123"


def at(second: int) -> str:
    """A time as SQLite's CURRENT_TIMESTAMP writes it."""
    return f"{DAY} 08:{second // 60:02d}:{second % 60:02d}"


def task(task_id: Any, session_id: Any = "s1", *, steps: int = 0, **columns: Any) -> dict[str, Any]:
    """A row of `task_history`, which lists as many steps."""
    listed = [{"description": f"step {n}", "expected_output": f"result {n}"} for n in range(steps)]
    found = {"task_id": task_id, "session_id": session_id, "user_input": f"do {task_id}", "status": "completed"}
    times = {"created_at": at(0), "updated_at": at(60)}
    return {**found, "subtasks": json.dumps(listed), "results": '{"final": "done"}', **times, **columns}


def step(subtask_id: int, task_id: Any, index: Any, **columns: Any) -> dict[str, Any]:
    """A row of `subtasks`."""
    found = {"subtask_id": subtask_id, "task_id": task_id, "subtask_index": index, "description": f"step {index}"}
    outputs = {"expected_output": f"result {index}", "actual_output": f"was {index}", "status": "completed"}
    documents = {"context": '{"n": 1}', "validation_report": None}
    return {**found, **outputs, **documents, "created_at": at(10), "updated_at": at(20), **columns}


def log(log_id: Any, task_id: Any, **columns: Any) -> dict[str, Any]:
    """A row of `tool_logs`."""
    found = {"log_id": log_id, "task_id": task_id, "tool_name": "search", "tool_args": '{"q": "\\u8ba2"}'}
    outcome = {"tool_result": '{"hits": [1]}', "execution_time": 0.25, "status": "success", "created_at": at(15)}
    return {**found, **outcome, **columns}


def user(user_id: Any, **columns: Any) -> dict[str, Any]:
    """A row of `user_config`."""
    found = {"user_id": user_id, "preferences": '{"theme": "dark"}', "api_keys": json.dumps({"openai": KEY})}
    usage = {"usage_stats": '{"task_count": 3, "total_tokens": 900}'}
    return {**found, **usage, "created_at": at(0), "updated_at": at(1), **columns}


def config(key: str, value: Any, description: str = "") -> dict[str, Any]:
    """A row of `system_config`."""
    return {"config_key": key, "config_value": value, "description": description, "updated_at": at(0)}


def source(source_id: int, name: Any = "manual", **columns: Any) -> dict[str, Any]:
    """A row of `knowledge_sources`."""
    found = {"source_id": source_id, "source_name": name, "source_path": "docs/manual.pdf", "source_type": "file"}
    times = {"created_at": at(0), "updated_at": at(2)}
    return {**found, "metadata": '{"chunks": 3}', "status": "active", **times, **columns}


ROWS = {
    "task_history": [task(1, steps=2), task(2, "s2", status="in_progress", results=None)],
    "subtasks": [step(1, 1, 0), step(2, 1, 1, validation_report='{"passed": true}')],
    "tool_logs": [log(1, 1), log(2, 2, status="error", error_message="no", tool_result=None)],
    "user_config": [user("ada"), user("bob", api_keys="{}", usage_stats=None)],
    "system_config": [config("llm_model", "openai/gpt-4o", "the model"), config("top", "7")],
    "knowledge_sources": [source(1), source(2, "old", status="deleted")],
}


def write_database(path: Path, rows: dict[str, list[dict[str, Any]]] | None = None, *, schema: str = SCHEMA) -> Path:
    """Write an `agent_flow.db` with these rows by table; by default with a few of everything."""
    path.parent.mkdir(parents=True, exist_ok=True)
    connection = sqlite3.connect(path)
    connection.executescript(schema)
    for table, found in (ROWS if rows is None else rows).items():
        for row in found:
            marks = ", ".join("?" * len(row))
            connection.execute(f"INSERT INTO {table} ({', '.join(row)}) VALUES ({marks})", list(row.values()))
    connection.commit()
    connection.close()
    return path


def write_backup(folder: Path, **card: Any) -> Path:
    """Write a backup as the old system made it: the database, and a card beside it."""
    write_database(folder / "agent_flow.db")
    told = {"backup_name": folder.name, "created_at": "2026-10-02T04:00:00", "db_path": "agent_flow.db", **card}
    (folder / "backup_info.json").write_text(json.dumps(told), encoding="utf-8")
    return folder
