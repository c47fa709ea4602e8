"""An answer of the API as plain data: what is kept for a retry of the request."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Answer:
    """Status, headers and body of an answer. `is_kept` says that it was given before, to the same request."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    is_kept: bool = False
