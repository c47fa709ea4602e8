"""Small chats in the forms of several programs, and how they are written."""

import gzip
import json
from pathlib import Path
from typing import Any

CHAT = [
    {"role": "system", "content": "Be short."}, {"role": "user", "content": "hello"},
    {"role": "assistant", "content": "hi"},
]  # fmt: skip
OPENAI = {
    "id": "chat-7", "title": "Weather", "model": "gpt-4o", "created": 1_790_841_600, "user": "ada",
    "messages": [
        {"role": "developer", "content": [{"type": "text", "text": "Be short."}]}, {"role": "user", "content": "Rain?"},
        {"role": "assistant", "content": None, "tool_calls": [
            {"id": "c1", "type": "function", "function": {"name": "rain", "arguments": '{"in": "Rome"}'}},
            {"id": "c2", "type": "function", "function": {"name": "wind", "arguments": "{broken"}}]},
        {"role": "tool", "tool_call_id": "c1", "content": "no"}, {"role": "assistant", "content": "No rain."},
    ],
}  # fmt: skip
SHAREGPT = {
    "id": 3, "system": "Be short.", "tools": "[]", "conversations": [
        {"from": "human", "value": "Rain?"}, {"from": "function_call", "value": '{"name": "rain", "arguments": {}}'},
        {"from": "observation", "value": "no"}, {"from": "gpt", "value": "No rain.", "weight": 0},
    ],
}  # fmt: skip


def write(path: Path, value: Any) -> Path:
    """Write a value as JSON, or bytes as they are; packed where the name says so."""
    path.parent.mkdir(parents=True, exist_ok=True)
    data = value if isinstance(value, bytes) else json.dumps(value, ensure_ascii=False).encode()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


def lines(*values: Any) -> bytes:
    """JSON Lines of the values."""
    return b"".join(json.dumps(value).encode() + b"\n" for value in values)
