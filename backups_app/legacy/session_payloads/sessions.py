"""Makes a session of a payload, and takes the secrets out of its settings."""

import hashlib
from typing import Any

from backups_app.legacy.fields import NAME_LENGTH
from backups_app.legacy.history_store.sessions import EXPECTED_WORDS, TITLE_LENGTH, SessionTaking
from backups_app.legacy.secrets import split_secrets
from backups_app.legacy.session_payloads.shapes import Payload
from backups_app.legacy.types import Finding, LegacyConfig, LegacySession, Level, Reading

SECTION = "sessions"
WRAPPER = "wrapper"
# What a state holds of what happened; the oldest payloads have it outside, without a state.
HAPPENED = ("messages", "tool_calls", "llm_calls", "errors")
_LIFTED = {
    "session_id": ("session_id",),
    "user_id": ("user_id",),
    "status": ("status",),
    "created_at": ("created_at", "created"),
    "updated_at": ("updated_at", "updated"),
    "title": ("title",),
    "tags": ("tags",),
}


class PayloadTaking(SessionTaking):
    """One payload being taken over, brought into the form of a session file first."""

    expected_words = EXPECTED_WORDS | {"unknown"}

    def __init__(self, payload: Payload, reading: Reading) -> None:
        """Bring the payload's keys to where a session file has them."""
        self._findings: list[tuple[Level, str, str]] = []
        super().__init__(payload.place, self._arranged(payload), reading)
        for level, code, detail in self._findings:
            self.repaired = self.repaired or level == Level.REPAIRED
            reading.report(Finding(level, code, self.place, detail, "session"))

    def session_of(self, payload: Payload) -> LegacySession:
        """The session. Raises `BadSession` when it has no usable id."""
        session = self.session(payload.repairs)
        session.size = payload.size
        session.repaired = session.repaired or bool(payload.repairs)
        return session

    def _status(self) -> str:
        """What a payload without a status says is that nobody knows it (document 004: `unknown`)."""
        return super()._status() if "status" in self.given else "inactive"

    def _arranged(self, payload: Payload) -> dict[str, Any]:
        document = dict(payload.document)
        found = document.get("metadata")
        given = dict(found) if type(found) is dict else {}
        if found is not None and type(found) is not dict:
            document["metadata_as_found"] = found
            self._repaired("metadata", "no object; kept as found")
        for key, names in _LIFTED.items():
            for name in names:
                if key not in given and name in document:
                    given[key] = document.pop(name)
        self._bring_state(document)
        self._unwrap(payload, document, given)
        settings = document.get("settings")
        title = settings.get("title") if type(settings) is dict else None
        if type(title) is str and len(title) <= TITLE_LENGTH:
            given.setdefault("title", title)
        return {**document, "metadata": given}

    def _bring_state(self, document: dict[str, Any]) -> None:
        """The state under its name here. What is none stays where it is, and goes to the metadata."""
        found = document.get("workflow_state")
        if "state" not in document and type(found) is dict:
            document["state"] = document.pop("workflow_state")
        elif found is not None and type(found) is not dict:
            self._repaired("workflow_state", "no object; kept as found")
        if "state" not in document and type(document.get("messages")) is list:
            document["state"] = {key: document.pop(key) for key in HAPPENED if key in document}

    def _unwrap(self, payload: Payload, document: dict[str, Any], given: dict[str, Any]) -> None:
        """The id that a session was saved under wins; else the inside wins, and what differs outside is kept."""
        around = dict(payload.wrapper or {})
        outside = around.pop("metadata", None)
        differing = _differing(outside, given) if type(outside) is dict else {}
        if payload.saved_as is not None:
            if given.get("session_id", payload.saved_as) != payload.saved_as:
                around["session_id_inside"] = given["session_id"]
            if around.get("id") == payload.saved_as:
                del around["id"]
            given["session_id"] = payload.saved_as
        if differing:
            around["metadata"] = differing
        if "session_id_inside" in around or "id" in around or differing:
            names = ", ".join(sorted({*differing, *(around.keys() & {"id", "session_id_inside"})}))
            detail = f"what stands around the session contradicts it ({names}); the id outside counts, else the inside"
            self._findings.append((Level.CONFLICT, "wrapper_differs", detail))
        if "created_at" not in given and around.get("created_at") is not None:
            given["created_at"] = around["created_at"]
            self._repaired("created_at", "missing inside; the time of saving stands in")
        if around:
            document.setdefault(WRAPPER, around)

    def _repaired(self, code: str, detail: str) -> None:
        self._findings.append((Level.REPAIRED, code, f"{code}: {detail}"))


def _differing(outside: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    """What the repeated metadata says and the session does not."""
    return {key: item for key, item in outside.items() if key not in given or given[key] != item}


def sealed(session: LegacySession) -> LegacyConfig | None:
    """Mask the secrets in what a session was set up with; what they are comes back as a setting that seals them."""
    value: dict[str, Any] = {}
    secrets: dict[str, str] = {}
    parts = {**session.documents, "agent_config": session.agent_config, "workflow_config": session.workflow_config}
    for name, part in {**parts, "metadata": session.metadata}.items():
        masked, found = split_secrets(part)
        if found:
            value[name] = masked
            secrets.update({f"/{name}{pointer}": secret for pointer, secret in found.items()})
            if name in session.documents:
                session.documents[name] = masked
            else:
                setattr(session, name, masked)
    session.title, _hidden = split_secrets(session.title)
    if not secrets:
        return None
    return LegacyConfig(_key(session.session_id), SECTION, value, session.place, secrets, session.updated_at)


def _key(session_id: str) -> str:
    key = f"{SECTION}.{session_id}"
    return key if len(key) <= NAME_LENGTH else f"{SECTION}.{hashlib.sha256(session_id.encode()).hexdigest()}"
