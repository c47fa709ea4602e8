"""Whether two drafts of one record say the same."""

from history_app.services.drafts import Draft
from history_app.services.ingest.columns import same_json

DOCUMENTS = frozenset(
    {"metadata", "structured_content", "tool_input", "tool_output", "messages", "parameters", "response", "token_usage"}
)
# The session and record id are how the two were found; whether a time was stated decides whether it counts. A number
# is given here, and only asked for there.
_NOT_CONTENT = frozenset({"session_id", "record_id", "timed", "sequence"})
# Left empty, these are taken from elsewhere when the record is stored: the session's user, the other half's model.
_FILLED_IN = frozenset({"user_id", "model", "provider"})


def same_draft(new: Draft, earlier: Draft) -> bool:
    """Return whether a record says what an earlier one of the same kind and id says.

    What the new one left to be filled in (its time, its user, its model) does not count.
    """
    return all(
        same_json(getattr(new, name), getattr(earlier, name))
        if name in DOCUMENTS
        else getattr(new, name) == getattr(earlier, name)
        for name in new.__struct_fields__
        if _counts(new, name)
    )


def _counts(new: Draft, name: str) -> bool:
    if name == "timestamp":
        return new.timed
    return name not in _NOT_CONTENT and not (name in _FILLED_IN and not getattr(new, name))
