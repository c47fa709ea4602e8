"""Reads the lines of one history file into records, each with its place, its time, and what was wrong with it."""

import hashlib
import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from backups_app.legacy.fields import NAME_LENGTH, Taking
from backups_app.legacy.files import Line
from backups_app.legacy.history_store.records import KINDS, KNOWN_KEYS
from backups_app.legacy.json_exact import EXPLAINED, TEXT_REPLACED, BadJSON, parse_json
from backups_app.legacy.times import EPOCH, TIME_AS_FOUND, time_read
from backups_app.legacy.types import Finding, LegacyRecord, Level, Place, Reading, raw_text
from config.shared.text import REPLACEMENT

MANY_SESSIONS = "aggregated"
UNKNOWN_KIND = "record"
_MONTH = re.compile(r"(?:^|/)((?:19|20)\d{2})(0[1-9]|1[0-2])/[^/]*$")


class LineReader:
    """The reader of one file. It remembers the last time seen, which stands in where a record's own is bad."""

    def __init__(self, *, path: str, stem: str, reading: Reading, begun_at: Callable[[str], datetime | None]) -> None:
        """`stem` is the session id that the file's name says; `begun_at` gives the start of a session by its id."""
        self.path = path
        self.reading = reading
        self.named_session = "" if stem.startswith(MANY_SESSIONS) else stem
        self._depth = reading.limits.depth
        self._begun_at = begun_at
        self._last_time: datetime | None = None
        self._foreign_reported = False

    def read(self, line: Line) -> list[LegacyRecord]:
        """The records of a line: one; none when it is blank, or bad and reported; several when writers shared it."""
        data = line.data
        if not data or data.isspace():
            return []
        place = Place(self.path, line.number)
        if line.too_long:
            self._reject(place, "line_too_long", f"longer than {self.reading.limits.line_bytes} bytes", data)
            return []
        try:
            parsed = parse_json(data, self._depth)
        except BadJSON as error:
            self._reject(place, error.code, str(error), data)
            return []
        if parsed.rest is not None:
            self._reject(place, parsed.rest.code, f"the rest of the line: {parsed.rest}", data)
        repairs = [(code, EXPLAINED[code]) for code in parsed.repairs]
        found = [self._record(value, place, data, repairs) for value in parsed.values]
        return [record for record in found if record is not None]

    def _record(self, raw: Any, place: Place, data: bytes, repairs: list[tuple[str, str]]) -> LegacyRecord | None:
        if type(raw) is not dict:
            self._reject(place, "not_an_object", "a record has to be a JSON object", data)
            return None
        kind = raw.get("record_type")
        if type(kind) is not str or kind not in KINDS:
            self._reject(place, "unknown_record_type", f"unknown record_type {kind!r:.100}", data)
            return None
        given = raw.get("metadata")
        taking = Taking(raw, given if type(given) is dict else {}, kind, place, data, list(repairs))
        if type(given) is not dict and given is not None:
            taking.repair("metadata", "metadata", "not an object, kept as found")
        session_id = self._session_id(taking)
        if session_id is None:
            self._reject(place, "bad_session_id", "session_id is missing or cannot be one", data, kind)
            return None
        fields = KINDS[kind](taking)
        if fields is None:
            self._reject(place, "bad_metric_value", "metric_value is no number", data, kind)
            return None
        return self._finished(session_id, fields, taking)

    def _finished(self, session_id: str, fields: dict[str, Any], taking: Taking) -> LegacyRecord:
        if not taking.raw.keys() <= KNOWN_KEYS[taking.kind]:
            taking.keep_unknown(KNOWN_KEYS[taking.kind])
        record_id = self._record_id(taking)
        timestamp = self._timestamp(taking, session_id)
        fields["metadata"] = taking.metadata
        repaired = bool(taking.repairs)
        if repaired:
            taking.report(self.reading)
        kind, place, size = taking.kind, taking.place, len(taking.line)
        return LegacyRecord(kind, session_id, record_id, timestamp, fields, place, repaired, size=size)

    def _session_id(self, taking: Taking) -> str | None:
        """The session that the record names (trusted over the file's name), or None where that can be no id."""
        value = taking.raw.get("session_id")
        if type(value) is str and 0 < len(value) <= NAME_LENGTH:
            if value != self.named_session and self.named_session:
                self._report_foreign(value)
            replaced = REPLACEMENT in value and any(code == TEXT_REPLACED for code, _ in taking.repairs)
            return None if replaced else value
        if (value is None or value == "") and 0 < len(self.named_session) <= NAME_LENGTH:
            taking.repair("session_id", "session_id", "missing, taken from the file's name")
            return self.named_session
        return None

    def _report_foreign(self, session_id: str) -> None:
        if self._foreign_reported:
            return
        self._foreign_reported = True
        detail = (
            f"the file's name says {self.named_session!r}, its records say {session_id!r:.300}; the records are trusted"
        )
        self.reading.report(Finding(Level.NOTE, "file_name_differs", Place(self.path), detail, "file"))

    def _record_id(self, taking: Taking) -> str:
        value = taking.raw.get("record_id")
        if type(value) is str and 0 < len(value) <= NAME_LENGTH:
            return value
        if type(value) is int and value >= 0:
            taking.repair("record_id", "record_id", "a number, read as text")
            return str(value)[:NAME_LENGTH]
        taking.repair("record_id", "record_id", "missing or no short text; one was made from the record's content")
        canonical = json.dumps(taking.raw, sort_keys=True, ensure_ascii=True).encode()
        return f"made:{hashlib.sha256(canonical).hexdigest()[:32]}"

    def _timestamp(self, taking: Taking, session_id: str) -> datetime:
        """The record's time; for a bad one that of the record before, else the start of the session or of the month."""
        value = taking.raw.get("timestamp")
        found = time_read(value, self.reading.zone)
        if found is None:
            taking.metadata[TIME_AS_FOUND] = value
            found = self._last_time or self._begun_at(session_id) or self._month_begin()
            taking.repairs.append(("timestamp", f"timestamp: {value!r:.100} is no time; {found.isoformat()} stands in"))
        self._last_time = found
        return found

    def _month_begin(self) -> datetime:
        """The first moment of the month that the folder is named after; 1970 where it is named otherwise."""
        month = _MONTH.search(self.path)
        return datetime(int(month[1]), int(month[2]), 1, tzinfo=UTC) if month else EPOCH

    def _reject(self, place: Place, code: str, detail: str, data: bytes, kind: str = UNKNOWN_KIND) -> None:
        self.reading.report(Finding(Level.REJECTED, code, place, detail, kind, raw_text(data)))
