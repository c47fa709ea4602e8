"""Bringing in an old store, beside parsing it with orjson and COPYing the same rows into the same tables."""

import json
import os
import resource
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import orjson
from django.db import connection

from tests.bench import store as stores
from tests.bench.report import Line
from tests.bench.sections import Work

MEMORY_GOAL_MB = 300
ROWS_PER_COPY = 20_000
ROOT = Path(__file__).resolve().parents[2]
FACT = ("project_id", "session_id", "record_id", "timestamp", "metadata")
SESSION_REST = (
    "workflow_config_path",
    "agent_config",
    "workflow_config",
    "metadata",
    "created_at",
    "updated_at",
    "version",
)
STATE = ("current_step", "iteration_count", "max_iterations", "workflow_name", "start_time", "tool_results", "data")
TABLES = {
    "session": (
        "sessions_app_session",
        ("id", "project_id", "session_id", "user_id", "title", "status", *SESSION_REST),
    ),
    "activity": (
        "sessions_app_sessionactivity",
        ("session_id", "last_sequence", "message_count", "last_activity_at"),
    ),
    "state": ("sessions_app_sessionstate", ("session_id", "version", "created_at", *STATE)),
    "workflow_run": (
        "sessions_app_workflowrun",
        ("project_id", "run_id", "workflow_id", "session_id", "status", "current_node", "started_at"),
    ),
    "metric": ("history_app_metric", (*FACT, "metric_type", "metric_value")),
    "message": ("history_app_message", (*FACT, "sequence", "role", "content")),
    "tool_call": (
        "history_app_toolcall",
        (*FACT, "tool_name", "tool_input", "tool_output", "status", "error_message", "execution_time"),
    ),
    "llm": (
        "history_app_llmcall",
        (*FACT, "request_id", "response_record_id", "model", "provider", "messages", "response", "response_time"),
    ),
    "token_usage": (
        "history_app_tokenusage",
        (
            *FACT,
            "user_id",
            "model",
            "provider",
            "prompt_tokens",
            "completion_tokens",
            "total_tokens",
            "source",
            "cost_status",
        ),
    ),
    "error": ("history_app_errorrecord", (*FACT, "error_id", "error_type", "error_message", "stack_trace", "severity")),
}
# Texts that no old store has; ours writes them empty.
EMPTY_TEXTS = {"sessions_app_sessionstate": ("turn_id",), "history_app_tokenusage": ("price_source",)}


def measure(work: Work) -> list[Line]:
    """Import the store by the command, then the same rows raw (PostgreSQL only).

    Rates count what was read: history records, sessions, states, runs and metrics.
    """
    source = Path(work.store) if work.store else stores.make(work.folder / "store", work.scaled(5000, 40))
    seconds, items = _ours(source)
    used = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    memory = Line("import, peak memory", used, MEMORY_GOAL_MB, "MB", "<= 1", "limit is the goal in MB")
    if connection.vendor != "postgresql":
        return [Line("import", items / seconds, 0, "items/s", "", "the raw limit is measured on PostgreSQL"), memory]
    raw_seconds, raw_items = _raw(source)
    note = f"{items:,} items; limit: orjson + COPY into copies of the same tables"
    return [Line("import", items / seconds, raw_items / raw_seconds, "items/s", ">= 0.5", note), memory]


def _ours(source: Path) -> tuple[float, int]:
    command = [sys.executable, "manage.py", "import_legacy", str(source), "--json"]
    start = time.perf_counter()
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env={**os.environ}, check=False)
    taken = time.perf_counter() - start
    if done.returncode:
        raise RuntimeError(done.stdout[-2000:] + done.stderr[-2000:])
    kinds: dict[str, dict[str, int]] = json.loads(done.stdout)["kinds"]
    told = {"message", "tool_call", "llm_request", "llm_response", "token_usage", "cost", "error"}
    told |= {"session", "state", "workflow_run", "metric"}
    return taken, sum(counts["read"] for kind, counts in kinds.items() if kind in told)


def _raw(source: Path) -> tuple[float, int]:
    with connection.cursor() as cursor:
        for table, _columns in TABLES.values():
            cursor.execute(f"CREATE TABLE raw_{table} (LIKE {table} INCLUDING ALL)")
            for column in EMPTY_TEXTS.get(table, ()):
                cursor.execute(f"ALTER TABLE raw_{table} ALTER COLUMN {column} SET DEFAULT ''")
    start = time.perf_counter()
    rows: dict[str, list[tuple[Any, ...]]] = {kind: [] for kind in TABLES}
    items, numbers = 0, {}
    for number, path in enumerate(sorted((source / "sessions").glob("*.json")), 1):
        if path.name != "index.json":
            numbers[path.stem] = number
            items += _read_session(path, number, rows)
            _copy_when_many(rows)
    for path in sorted((source / "history").rglob("*.jsonl")):
        if not path.name.startswith("aggregated_"):
            items += _read(path, numbers[path.stem], rows)
            _copy_when_many(rows)
    items += _read_metrics(source / "data" / "sessions" / "metadata.db", numbers, rows)
    _copy(rows)
    return time.perf_counter() - start, items


def _read_session(path: Path, number: int, rows: dict[str, list[tuple[Any, ...]]]) -> int:
    document = orjson.loads(path.read_bytes())
    meta, state = document["metadata"], document["state"]
    began, changed = meta["created_at"], meta["updated_at"]
    known = (number, 1, meta["session_id"], "", "", "completed", meta["workflow_config_path"])
    documents = (_text(meta["agent_config"]), _text(document["workflow_config"]), _text({"run": meta["workflow_id"]}))
    rows["session"].append((*known, *documents, began, changed, 1))
    rows["activity"].append((number, 0, 0, changed))
    counts = (state["current_step"], state["iteration_count"], state["max_iterations"], state["workflow_name"])
    rest = (state["start_time"], _text(state["tool_results"]), _text({"messages": state["messages"]}))
    rows["state"].append((number, 1, changed, *counts, *rest))
    rows["workflow_run"].append((1, f"{meta['workflow_id']}-{number}", 1, number, "completed", "", began))
    return 3


def _read_metrics(path: Path, numbers: dict[str, int], rows: dict[str, list[tuple[Any, ...]]]) -> int:
    if not path.exists():
        return 0
    database = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    found = database.execute("SELECT id, session_id, metric_type, metric_value, timestamp FROM statistics").fetchall()
    database.close()
    for key, session, kind, value, at in found:
        rows["metric"].append((1, numbers[session], f"statistics:{key}", at, None, kind, value))
    return len(found)


def _copy_when_many(rows: dict[str, list[tuple[Any, ...]]]) -> None:
    if sum(map(len, rows.values())) > ROWS_PER_COPY:
        _copy(rows)


def _read(path: Path, session: int, rows: dict[str, list[tuple[Any, ...]]]) -> int:
    requests: list[dict[str, Any]] = []
    lines = [line for line in path.read_bytes().split(b"\n") if line]
    for sequence, line in enumerate(lines, 1):
        record = orjson.loads(line)
        kind = record["record_type"]
        if kind == "llm_request":
            requests.append(record)
        elif kind == "llm_response":
            rows["llm"].append(_row(kind, {**requests.pop(0), "answer": record}, session, sequence))
        elif kind in rows:
            rows[kind].append(_row(kind, record, session, sequence))
    return len(lines)


def _text(value: Any) -> str | None:
    return orjson.dumps(value).decode() if value else None


def _row(kind: str, r: dict[str, Any], session: int, sequence: int) -> tuple[Any, ...]:
    fact = (1, session, r["record_id"], r["timestamp"], _text(r.get("metadata")))
    if kind == "message":
        content = r["content"] if isinstance(r["content"], str) else orjson.dumps(r["content"]).decode()
        return (*fact, sequence, r["message_type"], content)
    if kind == "tool_call":
        return (
            *fact,
            r["tool_name"],
            _text(r["tool_input"]),
            _text(r["tool_output"]),
            "success",
            "",
            r["execution_time"],
        )
    if kind == "llm_response":
        answer = r["answer"]
        joined = (r["record_id"], answer["record_id"], r["model"], r["provider"])
        return (*fact, *joined, _text(r["messages"]), _text(answer["response"]), answer["response_time"])
    if kind == "token_usage":
        tokens = (r["prompt_tokens"], r["completion_tokens"], r["total_tokens"])
        return (*fact, "", r["model"], "", *tokens, r["source"], "unknown")
    return (*fact, r["error_id"], r["error_type"], r["error_message"], r["stack_trace"] or "", r["severity"])


def _copy(rows: dict[str, list[tuple[Any, ...]]]) -> None:
    with connection.cursor() as cursor:
        for kind, (table, columns) in TABLES.items():
            with cursor.copy(f"COPY raw_{table} ({', '.join(columns)}) FROM STDIN") as copy:
                for row in rows[kind]:
                    copy.write_row(row)
            rows[kind].clear()
