"""What OpenAPI cannot read from the views: the form of problems on every operation, and the Idempotency-Key."""

from typing import Any

from config.shared.api.bodies import KEY_HEADER
from config.shared.api.idempotency import LONGEST_KEY
from config.shared.api.problems import PROBLEM_TYPE

PROBLEM_SCHEMA = {
    "type": "object",
    "description": "An error (RFC 9457).",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "current_version": {"type": "integer", "description": "With 412: the stored version, 0 where there is none."},
        "errors": {
            "type": "array",
            "description": "Each place of the input that breaks a rule.",
            "items": {
                "type": "object",
                "required": ["pointer", "detail"],
                "properties": {"pointer": {"type": "string"}, "detail": {"type": "string"}},
            },
        },
    },
}


KEY_PARAMETER = {
    "name": KEY_HEADER,
    "in": "header",
    "required": False,
    "description": "The same key with the same request does it once, and answers the same again.",
    "schema": {"type": "string", "minLength": 1, "maxLength": LONGEST_KEY, "pattern": "^[!-~]+$"},
}
WRITES = frozenset({"post", "put", "patch", "delete"})


def document_keys(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """Add the Idempotency-Key to every operation that writes (a post-processing hook of drf-spectacular)."""
    for operations in result["paths"].values():
        for method, operation in operations.items():
            if method in WRITES:
                operation.setdefault("parameters", []).append(KEY_PARAMETER)
    return result


def document_problems(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """Add the problem responses to every operation (a post-processing hook of drf-spectacular)."""
    result.setdefault("components", {}).setdefault("schemas", {})["Problem"] = PROBLEM_SCHEMA
    content = {PROBLEM_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    answers = {
        "4XX": {"description": "The request was refused; the problem says why.", "content": content},
        "503": {"description": "A store is away; try again after Retry-After seconds.", "content": content},
    }
    for operations in result["paths"].values():
        for operation in operations.values():
            if isinstance(operation, dict) and "responses" in operation:
                operation["responses"].update(answers)
    return result
