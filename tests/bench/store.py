"""An old history store of any size, made of plausible records, for the import benchmark."""

import json
import random
from datetime import UTC, datetime, timedelta
from pathlib import Path

START = datetime(2026, 1, 5, 8, 0, tzinfo=UTC)
WORDS = [
    "order",
    "parcel",
    "invoice",
    "refund",
    "customer",
    "carrier",
    "address",
    "warehouse",
    "label",
    "approve",
    "retry",
    "query",
    "index",
    "module",
    "function",
    "parser",
    "failing",
    "test",
    "commit",
    "review",
    "draft",
    "source",
    "outline",
    "translate",
    "订单",
    "退款",
    "客户",
    "物流",
    "地址",
]
TURNS = 6


def make(folder: Path, sessions: int, seed: int = 1) -> Path:
    """Write a store of document 000's layout with `sessions` sessions of about 37 records; returns its folder."""
    picker = random.Random(seed)
    (folder / "sessions").mkdir(parents=True)
    for number in range(sessions):
        start = START + timedelta(minutes=7 * number)
        name = f"react-{start:%y%m%d}-{start:%H%M%S}-{number:06x}"
        records = [record for turn in range(TURNS) for record in _turn(picker, name, number, turn, start)]
        month = folder / "history" / f"{start:%Y%m}"
        month.mkdir(parents=True, exist_ok=True)
        text = "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records)
        (month / f"{name}.jsonl").write_text(text, encoding="utf-8")
        session = json.dumps(_session(name, start, records), ensure_ascii=False)
        (folder / "sessions" / f"{name}.json").write_text(session, encoding="utf-8")
    return folder


def _text(picker: random.Random, words: int) -> str:
    return " ".join(picker.choice(WORDS) for _ in range(words))


def _stamp(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%S}Z"


def _turn(picker: random.Random, name: str, number: int, turn: int, start: datetime) -> list[dict]:
    at = start + timedelta(seconds=20 * turn)
    key = f"{number}_{turn}"
    tokens = {"prompt_tokens": 800 + turn, "completion_tokens": 90, "total_tokens": 890 + turn}
    model = {"model": "gpt-4o", "provider": "openai"}
    asked = {"record_type": "message", "message_type": "user", "content": _text(picker, 60), "metadata": {}}
    request = {
        "record_type": "llm_request",
        **model,
        "messages": [{"role": "user", "content": _text(picker, 40)}],
        "parameters": {},
    }
    response = {
        "record_type": "llm_response",
        **model,
        "response": {"content": _text(picker, 60)},
        "token_usage": tokens,
        "response_time": 1.2,
    }
    used = {"record_type": "token_usage", "model": "gpt-4o", **tokens, "source": "api_call"}
    cost = {"record_type": "cost", "model": "gpt-4o", **tokens, "total_cost": 0.0029 + turn / 1e6}
    tool = {
        "record_type": "tool_call",
        "tool_name": "search",
        "tool_input": {"query": _text(picker, 6)},
        "tool_output": _text(picker, 80),
        "success": True,
        "execution_time": 0.4,
    }
    said = {"record_type": "message", "message_type": "assistant", "content": _text(picker, 70), "metadata": {}}
    kinds = {"msg": asked, "req": request, "resp": response, "token": used, "cost": cost, "tool": tool, "say": said}
    found = []
    for seconds, (kind, record) in zip((0, 1, 3, 3, 3, 4, 5), kinds.items(), strict=True):
        stamp = _stamp(at + timedelta(seconds=seconds))
        found.append({"record_id": f"{kind}_{key}", "session_id": name, "timestamp": stamp, **record})
    return found


def _session(name: str, start: datetime, records: list[dict]) -> dict:
    said = [{"role": r["message_type"], "content": r["content"]} for r in records if r["record_type"] == "message"]
    metadata = {
        "session_id": name,
        "workflow_config_path": "configs/workflows/react.yaml",
        "workflow_id": f"react_{name[6:]}",
        "agent_config": {"name": "support", "model": "gpt-4o"},
        "created_at": _stamp(start),
        "updated_at": records[-1]["timestamp"],
        "status": "completed",
    }
    state = {
        "messages": said,
        "tool_results": [],
        "current_step": "finish",
        "max_iterations": 10,
        "iteration_count": TURNS,
        "workflow_name": "react",
        "start_time": _stamp(start),
        "errors": [],
    }
    return {"metadata": metadata, "state": state, "workflow_config": {"nodes": [{"id": "think"}], "edges": []}}
