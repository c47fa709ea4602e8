"""Reads session files: `{id}.json` with metadata, state and workflow_config; `{id}_meta.json` with metadata alone."""

from datetime import datetime
from pathlib import PurePosixPath
from typing import Any

from backups_app.legacy.fields import AS_FOUND, NAME_LENGTH
from backups_app.legacy.files import FoundFile, Unreadable, read_whole
from backups_app.legacy.history_store.encodings import as_utf8
from backups_app.legacy.json_exact import EXPLAINED, TEXT_REPLACED, BadJSON, parse_json
from backups_app.legacy.times import time_read
from backups_app.legacy.types import Finding, LegacySession, Level, Place, Reading, raw_text
from config.shared.text import REPLACEMENT

META_SUFFIX = "_meta"
# The words of document 000 and what they are here; our own stand for themselves.
STATUSES = {"error": "failed", "running": "active", "unknown": "inactive"} | {
    word: word for word in ("active", "paused", "inactive", "completed", "failed", "expired")
}
EXPECTED_WORDS = frozenset({"active", "paused", "completed", "error", "inactive", "failed", "expired"})
STATUS_AS_FOUND = "status_as_found"
FIELD_KEYS = frozenset(
    {"session_id", "workflow_config_path", "workflow_id", "agent_config", "created_at", "updated_at", "status"}
    | {"user_id", "title", "tags"}
)
DOCUMENT_KEYS = ("context", "settings", "thread_configs", "external_ids")
PATH_LENGTH = 500
TITLE_LENGTH = 500


class BadSession(Exception):
    """A session that cannot be taken: `code` is short and stable, the text is for people."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code


def read_session(found: FoundFile, reading: Reading) -> LegacySession | None:
    """The session in a file. None where there is none; then that is reported."""
    place = Place(found.name)
    data = b""
    try:
        data = read_whole(found.path, reading.limits.document_bytes)
        data = as_utf8(data, place, "session", reading)
        parsed = parse_json(data, reading.limits.depth)
        if len(parsed.values) != 1 or parsed.rest:
            raise BadSession("invalid_json", "more than one JSON value in the file")
        session = _session(parsed.values[0], found, parsed.repairs, reading)
    except (BadSession, BadJSON) as error:
        reading.report(Finding(Level.REJECTED, error.code, place, str(error), "session", raw_text(data)))
        return None
    except Unreadable as error:
        reading.report(Finding(Level.REJECTED, "unreadable", place, str(error), "session"))
        return None
    session.size = len(data)
    for code in parsed.repairs:
        session.repaired = True
        reading.report(Finding(Level.REPAIRED, code, place, EXPLAINED[code], "session", raw_text(data)))
    return session


def stem_of(name: str) -> str:
    """The session id that a session file's name says."""
    return PurePosixPath(name).name.removesuffix(".json").removesuffix(META_SUFFIX)


def _session(value: Any, found: FoundFile, repairs: tuple[str, ...], reading: Reading) -> LegacySession:
    if type(value) is not dict:
        raise BadSession("not_an_object", "a session file has to hold a JSON object")
    meta_only = PurePosixPath(found.name).name.endswith(f"{META_SUFFIX}.json") and "metadata" not in value
    if not meta_only and not value.keys() & {"metadata", "state", "workflow_config"}:
        raise BadSession("not_a_session", "a JSON file that is no session: no metadata, no state, no workflow_config")
    taking = SessionTaking(Place(found.name), {"metadata": value} if meta_only else value, reading)
    return taking.session(repairs)


class SessionTaking:
    """One session being taken over, key by key; every key ends in a column, in the state, or in the metadata."""

    # The words for a status that are taken without a finding.
    expected_words = EXPECTED_WORDS

    def __init__(self, place: Place, document: dict[str, Any], reading: Reading) -> None:
        self.place = place
        self.document = document
        self.reading = reading
        found = document.get("metadata")
        self.given: dict[str, Any] = found if type(found) is dict else {}
        self.metadata = {key: item for key, item in self.given.items() if key not in FIELD_KEYS}
        self.repaired = False

    def session(self, repairs: tuple[str, ...]) -> LegacySession:
        """The session. Raises `BadSession` when it has no usable id."""
        session_id = self._session_id(TEXT_REPLACED in repairs)
        state = self._object_of("state") if "state" in self.document else None
        created, updated = self._time("created_at"), self._time("updated_at")
        self._keep_other_keys()
        path = self._text("workflow_config_path", PATH_LENGTH)
        return LegacySession(
            session_id=session_id,
            place=self.place,
            status=self._status(),
            created_at=created or time_read((state or {}).get("start_time"), self.reading.zone) or updated,
            updated_at=updated or created,
            user_id=self._text("user_id", NAME_LENGTH),
            title=self._text("title", TITLE_LENGTH),
            tags=self._tags(),
            workflow=self._workflow(state or {}, path),
            workflow_config_path=path,
            run_id=self._text("workflow_id", NAME_LENGTH),
            agent_config=self._agent_config(),
            workflow_config=self._object_of("workflow_config"),
            documents={key: self._object_of(key) for key in DOCUMENT_KEYS if self.document.get(key)},
            metadata=self.metadata,
            state=state,
            repaired=self.repaired,
        )

    def _session_id(self, text_was_replaced: bool) -> str:
        if "session_id" not in self.given:
            self._repair("session_id", "the file says no session id; taken from its name")
            return self._checked(stem_of(self.place.path), text_was_replaced)
        return self._checked(self.given["session_id"], text_was_replaced)

    @staticmethod
    def _checked(value: Any, text_was_replaced: bool) -> str:
        """Any text of 1 to 255 characters is an id: it is data, never a path. Others are refused."""
        if type(value) is not str:
            raise BadSession("bad_session_id", "session_id is no text")
        if not 0 < len(value) <= NAME_LENGTH:
            raise BadSession("bad_session_id", f"session_id has {len(value)} characters, not 1 to {NAME_LENGTH}")
        if text_was_replaced and REPLACEMENT in value:
            raise BadSession("bad_session_id", "session_id holds NUL or a lone surrogate")
        return value

    def _status(self) -> str:
        found = self.given.get("status", "active")
        word = found.strip().lower() if type(found) is str else ""
        mapped = self.reading.statuses.get(found) if type(found) is str else None
        status = mapped or STATUSES.get(word, "inactive")
        if found != status:
            self.metadata[STATUS_AS_FOUND] = found
        if mapped is None and found not in self.expected_words:
            self._repair("status", f"the status {found!r:.100} is taken as {status}")
        return status

    def _time(self, key: str) -> datetime | None:
        value = self.given.get(key)
        found = time_read(value, self.reading.zone)
        if found is None and key in self.given:
            self._keep_as_found(key, value, f"{value!r:.100} is no time")
        return found

    def _text(self, key: str, length: int) -> str:
        value = self.given.get(key)
        if type(value) is str and len(value) <= length:
            return value
        if value is not None:
            self._keep_as_found(key, value, f"no text of at most {length} characters")
        return ""

    def _tags(self) -> list[str]:
        value = self.given.get("tags")
        if type(value) is list and all(type(tag) is str for tag in value):
            return value
        if value is not None:
            self._keep_as_found("tags", value, "no list of texts")
        return []

    def _agent_config(self) -> dict[str, Any]:
        value = self.given.get("agent_config")
        if type(value) is dict:
            return value
        if value is not None:
            self._keep_as_found("agent_config", value, "no object")
        return {}

    def _object_of(self, key: str) -> dict[str, Any]:
        """A document at the top of the file; what is no object is kept as found."""
        value = self.document.get(key)
        if type(value) is dict:
            return value
        if value is not None:
            self._keep_as_found(key, value, "no object")
        return {}

    def _workflow(self, state: dict[str, Any], path: str) -> str:
        """The name of the workflow that the session follows: as the state says, else as its file is called."""
        for name in (state.get("workflow_name"), self.document.get("workflow_name")):
            if type(name) is str and 0 < len(name) <= NAME_LENGTH:
                return name
        return PurePosixPath(path).stem[:NAME_LENGTH]

    def _keep_other_keys(self) -> None:
        """Keys at the top of the file that we know nothing of go into the metadata."""
        found = self.document.get("metadata")
        if found is not None and type(found) is not dict:
            self._keep_as_found("metadata", found, "no object")
        elif found is None and "metadata" in self.document:
            self._repair("metadata", "null instead of an object")
        for key, value in self.document.items():
            if key not in ("metadata", "state", "workflow_config", *DOCUMENT_KEYS):
                self.metadata.setdefault(key, value)

    def _keep_as_found(self, key: str, value: Any, why: str) -> None:
        kept = self.metadata.setdefault(AS_FOUND, {})
        if type(kept) is dict:
            kept[key] = value
        self._repair(key, f"{why}; kept as found")

    def _repair(self, code: str, detail: str) -> None:
        self.repaired = True
        self.reading.report(Finding(Level.REPAIRED, code, self.place, f"{code}: {detail}", "session"))
