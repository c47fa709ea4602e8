"""A key-value store of document 001, made by hand: its keys, and every form in which they can lie about."""

import gzip
import json

SESSION = {
    "session_id": "s1", "user_id": "u:1", "created_at": "2026-10-01T08:00:00", "last_activity": "2026-10-01T09:00:00",
    "data": {"title": "Refund", "lang": "en"}, "status": "active",
}  # fmt: skip


def said(number, content, role="user", **more):
    return {
        "role": role, "content": content, "timestamp": f"2026-10-01T08:00:{number:02}", "message_id": number, **more
    }  # fmt: skip


def used(tokens=10, session="s1", time="2026-10-01T08:00:09", **more):
    return {"user_id": "u:1", "session_id": session, "tokens_used": tokens, "model": "m", "timestamp": time, **more}


KEYS = {
    "session:s1": SESSION,
    "conversation:s1": [
        said(1, "hello"), said(2, "[42]", "tool", tool_name="find", tool_args={"q": 1}), said(3, "hi", "assistant"),
    ],
    "user_sessions:u:1": ["s1"],
    "token_usage:u:1:s1:2026-10-01T08:00:09": used(),
    "session_token_stats:s1": {"total_tokens": 10, "model_usage": {"m": 10}},
    "user_token_stats:u:1:2026-10-01": {"total_tokens": 10, "model_usage": {"m": 10}, "session_count": 0},
    "global_token_stats:2026-10-01": {"total_tokens": 10, "model_usage": {"m": 10}, "user_count": 0},
    "config:llm": {"openai": {"api_key": "sk-FAKE0123456789abcdef"}, "model": "m"},
}  # fmt: skip


def write_files(root, keys):
    for key, value in keys.items():
        category, _, rest = key.partition(":")
        path = root / "data" / category / f"{rest}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(value if isinstance(value, str) else json.dumps(value, indent=2), encoding="utf-8")


def write_lines(root, keys):
    lines = [
        {"key": key, "type": "string", "ttl": 60, "value": value if isinstance(value, str) else json.dumps(value)}
        for key, value in keys.items()
    ]
    root.mkdir(parents=True, exist_ok=True)
    text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
    (root / "redis_dump.ndjson").write_text(text, encoding="utf-8")


def packed(keys):
    return gzip.compress(json.dumps(keys, ensure_ascii=False).encode(), mtime=0)


def backup_of(packed_keys, name="b1", **other):
    told = {"backup_name": name, "created_at": "2026-10-02T03:00:00", "data_size": len(packed_keys)}
    return {**told, "data": packed_keys.decode("latin-1"), **other}


def write_backup(root, told, name="b1"):
    folder = root / "data" / "backups"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.json").write_text(json.dumps(told, ensure_ascii=False, indent=2), encoding="utf-8")
