"""Reads a folder of session payloads: which of a session's copies counts, the sessions, and what happened in them."""

import json
from collections.abc import Generator, Iterable, Iterator
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

from backups_app.legacy.files import READ_TO_LOOK, FoundFile, Unreadable, beginning, files_at, read_whole
from backups_app.legacy.history_store.sessions import BadSession
from backups_app.legacy.json_exact import BadJSON, parse_json
from backups_app.legacy.listing import files_listed
from backups_app.legacy.secrets import split_secrets
from backups_app.legacy.session_payloads.documents import payloads_of
from backups_app.legacy.session_payloads.happened import records_of
from backups_app.legacy.session_payloads.sessions import PayloadTaking, sealed
from backups_app.legacy.session_payloads.shapes import Payload, is_certain
from backups_app.legacy.times import EPOCH
from backups_app.legacy.types import (
    Finding,
    LegacyConfig,
    LegacyItem,
    LegacySession,
    Level,
    Limits,
    Place,
    Reading,
    raw_text,
)

ENDING = ".json"
LOOKED_AT = 50
# By these a large document is recognised, of which the beginning alone is looked at.
_NAMES = (b'"workflow_state"', b'"thread_configs"')
CHUNK_SESSIONS = 200
CHUNK_BYTES = 8_000_000


def looks_like_session_payloads(root: Path) -> bool:
    """Whether one of the first JSON files at the path is, beyond doubt, a payload or a batch of them."""
    found = (entry for entry in files_at(root) if isinstance(entry, FoundFile) and _is_document(entry))
    return any(_is_certain_file(file) for file in islice(found, LOOKED_AT))


def _is_certain_file(file: FoundFile) -> bool:
    try:
        if file.size > READ_TO_LOOK:
            begun = beginning(file.path)
            return b'"metadata"' in begun and any(name in begun for name in _NAMES)
        (value,) = parse_json(read_whole(file.path, READ_TO_LOOK), Limits().depth).values[:1]
    except (Unreadable, BadJSON):
        return False
    members: Iterable[object] = value.values() if type(value) is dict else value if type(value) is list else ()
    return is_certain(value) or any(is_certain(item) for item in members)


def _is_document(file: FoundFile) -> bool:
    return file.name.endswith(ENDING)


class SessionPayloads:
    """One folder, to be read once. `bytes_read` of `bytes` tells how far the reading is: every file is read twice."""

    def __init__(self, root: Path, reading: Reading) -> None:
        """List the files; nothing is opened yet."""
        self.reading = reading
        self._files, self._skipped = files_listed(root, _is_document, "not a file of the store")
        self.bytes = 2 * sum(file.size for file in self._files)
        self.bytes_read = 0
        # Of each session when the copy that counts was changed, where it is, and its number there.
        self._counting: dict[str, tuple[datetime, Place, int]] = {}

    def items(self) -> Generator[LegacyItem, None, None]:
        """Everything in the store, some sessions at a time: sessions and their sealed secrets, then their records."""
        for finding in self._skipped:
            self.reading.report(finding)
        self._choose()
        chunk: list[tuple[LegacySession, LegacyConfig | None]] = []
        size = 0
        for session, config in self._sessions():
            chunk.append((session, config))
            size += session.size
            if len(chunk) >= CHUNK_SESSIONS or size >= CHUNK_BYTES:
                yield from self._yielded(chunk)
                chunk, size = [], 0
        yield from self._yielded(chunk)

    def _yielded(self, chunk: list[tuple[LegacySession, LegacyConfig | None]]) -> Iterator[LegacyItem]:
        yield from (session for session, _config in chunk)
        yield from (config for _session, config in chunk if config is not None)
        for session, _config in chunk:
            yield from records_of(session, self.reading)

    def _choose(self) -> None:
        """Find out which copy of each session counts: the one changed last, of two such the first in order of names."""
        quiet = Reading(report=_told_later, zone=self.reading.zone, limits=self.reading.limits)
        for session, payload in self._read_all(quiet):
            changed = session.updated_at or datetime.min.replace(tzinfo=UTC)
            held = self._counting.get(session.session_id)
            if held is None or changed > held[0]:
                self._counting[session.session_id] = (changed, session.place, payload.number)

    def _sessions(self) -> Iterator[tuple[LegacySession, LegacyConfig | None]]:
        for session, payload in self._read_all(self.reading):
            chosen = self._counting.get(session.session_id)
            if chosen is not None and chosen[1:] != (session.place, payload.number):
                self._contradict(session, payload, chosen[1])
                continue
            if session.created_at is None:
                session.created_at = session.updated_at = EPOCH
                session.repaired = True
                detail = "the session names no time at all; 1970 stands in"
                self.reading.report(Finding(Level.REPAIRED, "no_time", session.place, detail, "session"))
            config = sealed(session)
            if config is not None:
                detail = f"{len(config.secrets)} secrets were masked in the session and sealed as {config.key!r:.300}"
                self.reading.report(Finding(Level.NOTE, "secrets_sealed", session.place, detail, "session"))
            yield session, config

    def _read_all(self, reading: Reading) -> Iterator[tuple[LegacySession, Payload]]:
        for file in self._files:
            for payload in payloads_of(file, reading):
                try:
                    yield PayloadTaking(payload, reading).session_of(payload), payload
                except BadSession as error:
                    reading.report(Finding(Level.REJECTED, error.code, payload.place, str(error), "session"))
            self.bytes_read += file.size

    def _contradict(self, session: LegacySession, payload: Payload, chosen: Place) -> None:
        detail = (
            f"the session {session.session_id!r:.300} stands in {chosen} too, which was changed later or comes first"
        )
        masked, _secrets = split_secrets(payload.document)
        raw = raw_text(json.dumps(masked, ensure_ascii=False, default=str))
        self.reading.report(Finding(Level.CONFLICT, "same_session_twice", session.place, detail, "session", raw))


def _told_later(finding: Finding) -> None:
    """The second reading of the files tells it."""
