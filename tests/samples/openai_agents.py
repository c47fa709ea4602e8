"""Writes small databases as the OpenAI Agents SDK keeps its sessions."""

import json
import sqlite3
from pathlib import Path
from typing import Any

SCHEMA = """
CREATE TABLE agent_sessions (session_id TEXT PRIMARY KEY, created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP,
  updated_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP);
CREATE TABLE agent_messages (id INTEGER PRIMARY KEY AUTOINCREMENT, session_id TEXT NOT NULL,
  message_data TEXT NOT NULL, created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP);
CREATE TABLE message_structure (id INTEGER PRIMARY KEY AUTOINCREMENT, session_id TEXT NOT NULL,
  message_id INTEGER NOT NULL, branch_id TEXT NOT NULL DEFAULT 'main', message_type TEXT NOT NULL,
  sequence_number INTEGER NOT NULL, user_turn_number INTEGER, tool_name TEXT);
CREATE TABLE turn_usage (id INTEGER PRIMARY KEY AUTOINCREMENT, session_id TEXT NOT NULL,
  branch_id TEXT NOT NULL DEFAULT 'main', user_turn_number INTEGER NOT NULL, requests INTEGER DEFAULT 0,
  input_tokens INTEGER DEFAULT 0, output_tokens INTEGER DEFAULT 0, total_tokens INTEGER DEFAULT 0,
  input_tokens_details JSON, output_tokens_details JSON, created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP);
"""
KEY = "sk-FAKE0123456789abcdef0123"
USER = {"role": "user", "content": "Where is order 7? 订单"}
THOUGHT = {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "look it up"}]}
CALL = {"type": "function_call", "id": "fc_1", "call_id": "c1", "name": "find", "arguments": '{"order": 7}'}
ANSWER = {"type": "function_call_output", "call_id": "c1", "output": '{"state": "sent"}'}
SAID = {
    "type": "message", "id": "msg_1", "role": "assistant", "status": "completed",
    "content": [{"type": "output_text", "text": "It was sent.", "annotations": []}],
}  # fmt: skip
ITEMS = [USER, THOUGHT, CALL, ANSWER, SAID]


def write_conversations(
    path: Path,
    items: dict[str, list[Any]] | None = None,
    *,
    named: tuple[str, ...] | None = None,
    usage: tuple[tuple[Any, ...], ...] = (),
    branches: tuple[tuple[int, str], ...] = (),
    schema: str = SCHEMA,
) -> Path:
    """Write a database with these items by session; a text among them is written as it is.

    `named` are the sessions that have a row; by default all. `usage` is session, turn, input, output, total, details.
    """
    items = {"s1": ITEMS} if items is None else items
    path.parent.mkdir(parents=True, exist_ok=True)
    base = sqlite3.connect(path)
    base.executescript(schema)
    for session_id in items if named is None else named:
        times = ("2026-10-01 08:00:00", "2026-10-01 08:05:00")
        base.execute("INSERT INTO agent_sessions VALUES (?, ?, ?)", (session_id, *times))
    for session_id, found in items.items():
        for second, item in enumerate(found):
            row = (session_id, item if isinstance(item, str) else json.dumps(item), f"2026-10-01 08:00:{second:02}")
            base.execute("INSERT INTO agent_messages (session_id, message_data, created_at) VALUES (?, ?, ?)", row)
    columns = "session_id, user_turn_number, input_tokens, output_tokens, total_tokens, input_tokens_details"
    for row in usage:
        base.execute(f"INSERT INTO turn_usage ({columns}, created_at) VALUES (?, ?, ?, ?, ?, ?, '2026-10-01')", row)
    for number, name in branches:
        row = ("s1", number, name, "user", number)
        names = "session_id, message_id, branch_id, message_type, sequence_number"
        base.execute(f"INSERT INTO message_structure ({names}) VALUES (?, ?, ?, ?, ?)", row)
    base.commit()
    base.close()
    return path
