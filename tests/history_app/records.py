"""Plain functions that make records as they come in, and hand them to the bulk writer."""

from typing import Any

from history_app.services.ingest import WriteResult, records_write
from history_app.services.records import record_parse

TIME = "2026-03-01T12:00:00Z"
TOKENS = {"model": "gpt-4o", "prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120}


def record(kind: str, record_id: str, **fields: Any) -> dict[str, Any]:
    """Return a plausible record of the session `s-1`; `fields` override or add."""
    own = {
        "message": {"role": "user", "content": "Where is my order?"},
        "tool_call": {"tool_name": "search", "tool_input": {"q": "order"}, "tool_output": "found", "success": True},
        "llm_request": {"request_id": "call-1", "model": "gpt-4o", "messages": [{"role": "user", "content": "Hi"}]},
        "llm_response": {"request_id": "call-1", "response": {"content": "Hello"}, "response_time": 1.5},
        "token_usage": {**TOKENS, "source": "api_call"},
        "cost": {**TOKENS, "total_cost": "0.0031"},
        "error": {"error_type": "Timeout", "error_message": "30 s"},
        "metric": {"metric_type": "throughput", "metric_value": 2.5},
    }[kind]
    common = {"record_type": kind, "session_id": "s-1", "record_id": record_id, "timestamp": TIME}
    return {**common, **own, **fields}


def write(project: Any, records: list[dict[str, Any]], now: Any, **options: Any) -> WriteResult:
    """Hand the records to the bulk writer in one batch."""
    drafts = [record_parse(raw, now=now) for raw in records]
    return records_write(project_id=project.pk, drafts=drafts, now=now, **options)


def outcomes(project: Any, records: list[dict[str, Any]], now: Any, **options: Any) -> list[str]:
    """Return what became of each record of the batch."""
    return [outcome.kind.value for outcome in write(project, records, now, **options).outcomes]
