"""Reads that are not rows of one model: callers, counts by status, and what hangs together."""

from config.shared.callers import Caller
from sessions_app.models import ApiKey

MASKED_KEY_ROLE = ApiKey.Role.READER


def caller_of_key(key: ApiKey) -> Caller:
    """Return what the holder of a key may see and do: one project, contents unless the role is reader."""
    return Caller(
        kind="key",
        name=f"{key.name} ({key.prefix})",
        role=key.role,
        project_ids=frozenset({key.project_id}),
        project_id=key.project_id,
        can_see_contents=key.role != MASKED_KEY_ROLE,
    )
