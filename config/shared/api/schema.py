"""What OpenAPI cannot read from the views: the form of problems, on every operation."""

from typing import Any

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
