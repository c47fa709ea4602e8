"""The shapes of document 004, SessionData and SessionMetadata, and the way from them to a session and back."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

from config.shared.errors import InvalidInput
from config.shared.text import Replaced, TooDeep, clean_json
from sessions_app.models import Session, SessionState
from sessions_app.services.drafts import GREATEST_COUNT, SessionDraft, StateDraft, max_length

Data = Mapping[str, Any]

# Statuses that the document has and a session has not (parity.md); the word is kept beside what it is taken as.
STATUSES = {"unknown": Session.Status.INACTIVE.value, "error": Session.Status.FAILED.value}
STATUS_AS_FOUND = "status_as_found"
# Keys of a session's data that have no column: kept in the session's metadata under this name.
OTHER_KEYS = "other_data"
PARTS = ("thread_configs", "settings", "agent_config", "workflow_config", "context", "external_ids")
KNOWN_METADATA = ("session_id", "workflow_config_path", "status", "created_at", "updated_at", "user_id", "tags")
_TYPED = {"current_step": str, "workflow_name": str, "iteration_count": int, "max_iterations": int}
_TYPED |= {"errors": list, "tool_results": list}


@dataclass(kw_only=True)
class SessionMetadata:
    """What document 004 calls the metadata of a session; further keys of a stored one are in `more`."""

    session_id: str
    created_at: datetime
    updated_at: datetime
    workflow_config_path: str | None = None
    status: str = Session.Status.ACTIVE.value
    user_id: str | None = None
    tags: list[str] = field(default_factory=list)
    more: dict[str, Any] = field(default_factory=dict)


@dataclass(kw_only=True)
class SessionData:
    """One session as document 004 has it. `data()` is its form as a plain dictionary, which `get_session` returns."""

    metadata: SessionMetadata
    thread_configs: dict[str, Any] = field(default_factory=dict)
    workflow_state: dict[str, Any] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)
    more: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, data: Data) -> "SessionData":
        """Return the typed form of what `get_session` returned."""
        metadata = dict(data["metadata"])
        own = {name: metadata.pop(name) for name in KNOWN_METADATA if name in metadata}
        rest = dict(data)
        parts = {name: rest.pop(name, {}) for name in ("thread_configs", "workflow_state", "settings")}
        del rest["metadata"]
        return cls(metadata=SessionMetadata(**own, more=metadata), **parts, more=rest)

    def data(self) -> dict[str, Any]:
        """Return the plain dictionary that `save_session` takes."""
        values = asdict(self)
        more = values["metadata"].pop("more")
        return {**values.pop("more"), **values, "metadata": {**values["metadata"], **more}}


def draft_of(session_id: str, data: Data) -> SessionDraft:
    """Return the draft of a whole session. Raises InvalidInput for what is no session's data; `data` stays as it is."""
    whole = _cleaned(data)
    metadata = _object(whole, "metadata")
    if metadata.get("session_id", session_id) != session_id:
        raise InvalidInput.at("/metadata/session_id", "The data names another session.")
    own = {name: metadata.pop(name, None) for name in KNOWN_METADATA}
    parts: dict[str, Any] = {name: _object(whole, name) for name in PARTS}
    state = whole.pop("workflow_state", None)
    if whole:
        metadata[OTHER_KEYS] = whole
    status, noted = _status(own["status"])
    return SessionDraft(
        session_id=session_id,
        user_id=own["user_id"] or "",
        status=status,
        workflow_config_path=own["workflow_config_path"] or "",
        tags=_tags(own["tags"]),
        metadata={**metadata, **noted},
        created_at=_moment("created_at", own["created_at"]),
        updated_at=_moment("updated_at", own["updated_at"]),
        state=None if state is None else state_draft(state),
        **parts,
    )


def changes_of(updates: Data) -> tuple[dict[str, Any], dict[str, Any] | None]:
    """Return what `update_session` changes: columns of the session as `session_update` takes them, and of its state."""
    whole = _cleaned(updates)
    metadata = _object(whole, "metadata")
    changes: dict[str, Any] = {name: _object(whole, name) for name in PARTS if name in whole}
    state = _object(whole, "workflow_state") if "workflow_state" in whole else None
    for name in ("session_id", "created_at", "updated_at"):
        # What a session is known by, and when it was made, is not for a change.
        metadata.pop(name, None)
    for name in ("user_id", "workflow_config_path"):
        if name in metadata:
            changes[name] = metadata.pop(name) or ""
    if "tags" in metadata:
        changes["tags"] = _tags(metadata.pop("tags"))
    if "status" in metadata:
        changes["status"], noted = _status(metadata.pop("status"))
        # A null takes the former word away.
        metadata.update({STATUS_AS_FOUND: None, **noted})
    if whole:
        metadata[OTHER_KEYS] = whole
    if metadata:
        changes["metadata"] = metadata
    return changes, None if state is None else _state_columns(state)


def data_of(session: Session, state: SessionState | None) -> dict[str, Any]:
    """Return a stored session as document 004 has it, with further parts that hold something."""
    metadata = dict(session.metadata)
    found = metadata.pop(STATUS_AS_FOUND, None)
    other = metadata.pop(OTHER_KEYS, {})
    parts = {name: getattr(session, name) for name in PARTS}
    shown = {name: value for name, value in parts.items() if value or name in ("thread_configs", "settings")}
    own = {
        "session_id": session.session_id,
        "workflow_config_path": session.workflow_config_path or None,
        "status": found if STATUSES.get(found) == session.status else session.status,
        "created_at": session.created_at.astimezone(UTC).isoformat(),
        "updated_at": session.updated_at.astimezone(UTC).isoformat(),
        "user_id": session.user_id or None,
        "tags": session.tags,
    }
    return {**other, **shown, "workflow_state": _flat(state), "metadata": {**metadata, **own}}


def state_draft(stated: Any) -> StateDraft:
    """Return the draft of a `workflow_state`: what is of the right type in its columns, everything else in `data`."""
    if not isinstance(stated, dict):
        raise InvalidInput.at("/workflow_state", "This is a JSON object.")
    return StateDraft(**_state_columns(stated))


def _state_columns(stated: dict[str, Any]) -> dict[str, Any]:
    columns = {name: value for name, value in stated.items() if _fits(name, value)}
    return {**columns, "data": {name: value for name, value in stated.items() if name not in columns}}


def _fits(name: str, value: Any) -> bool:
    """Return whether a value can stand in the column of this name, and is told from an empty one there."""
    if name not in _TYPED or type(value) is not _TYPED[name] or value in ("", []):
        return False
    if isinstance(value, str):
        return len(value) <= max_length(SessionState, name)
    return not isinstance(value, int) or 0 <= value <= GREATEST_COUNT


def _flat(state: SessionState | None) -> dict[str, Any]:
    if state is None:
        return {}
    columns = {name: getattr(state, name) for name in _TYPED}
    return {**{name: value for name, value in columns.items() if value not in (None, "", [])}, **state.data}


def _cleaned(data: Any) -> dict[str, Any]:
    """Return a copy of the data that every database can keep. Raises InvalidInput."""
    if not isinstance(data, Mapping):
        raise InvalidInput.at("", "A session's data is a JSON object.")
    try:
        return dict(clean_json(_plain(data), Replaced()))
    except TooDeep as error:
        raise InvalidInput.at("", str(error)) from error


def _plain(value: Any) -> Any:
    """Return mappings and sequences as plain ones and times as text, so that they are JSON."""
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    if isinstance(value, datetime):
        return value.isoformat()
    if value is None or isinstance(value, str | int | float):
        return value
    raise InvalidInput.at("", f"{type(value).__name__} is no JSON value.")


def _object(whole: dict[str, Any], name: str) -> dict[str, Any]:
    value = whole.pop(name, None)
    if value is not None and not isinstance(value, dict):
        raise InvalidInput.at(f"/{name}", "This is a JSON object.")
    return value or {}


def _tags(stated: Any) -> list[Any]:
    if stated is not None and not isinstance(stated, list):
        raise InvalidInput.at("/metadata/tags", "This is a JSON array.")
    return stated or []


def _status(stated: Any) -> tuple[str, dict[str, str]]:
    if stated is None:
        return Session.Status.ACTIVE.value, {}
    known = STATUSES.get(stated) if isinstance(stated, str) else None
    return (known, {STATUS_AS_FOUND: stated}) if known else (stated, {})


def _moment(name: str, stated: Any) -> datetime | None:
    """Return the time that is stated, in UTC where it names no zone."""
    if stated is None:
        return None
    try:
        moment = datetime.fromisoformat(stated)
    except (TypeError, ValueError) as error:
        raise InvalidInput.at(f"/metadata/{name}", "This is no ISO 8601 time.") from error
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
