"""Reads `metadata.db`: its sessions, workflows, statistics, errors and configurations, whatever columns they have."""

import hashlib
import json
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

from backups_app.legacy.fields import NAME_LENGTH, Taking
from backups_app.legacy.history_store.configs import workflow_of
from backups_app.legacy.history_store.records import KINDS
from backups_app.legacy.history_store.sessions import PATH_LENGTH, BadSession, SessionTaking
from backups_app.legacy.json_exact import EXPLAINED, TEXT_REPLACED, BadJSON, parse_json
from backups_app.legacy.secrets import split_secrets
from backups_app.legacy.sqlite_copy import Row, SQLiteCopy
from backups_app.legacy.times import EPOCH, TIME_AS_FOUND, time_read
from backups_app.legacy.types import (
    Finding,
    LegacyConfig,
    LegacyRecord,
    LegacySession,
    LegacyWorkflow,
    Level,
    Place,
    Reading,
)
from config.shared.text import Replaced, clean_json

ROW_KINDS = {
    "sessions": "session",
    "workflows": "workflow",
    "statistics": "metric",
    "errors": "error",
    "configurations": "config",
}
WORKFLOW_COLUMNS = frozenset(
    {
        "workflow_id",
        "name",
        "description",
        "version",
        "config_path",
        "loaded_at",
        "last_used",
        "usage_count",
        "config_data",
    }
)
ORPHANS = "orphans"


class Tables:
    """The rows of one database file as legacy items. `path` is the file's place in the store, `stem` its short name."""

    def __init__(self, copy: SQLiteCopy, *, path: str, stem: str, reading: Reading) -> None:
        self._copy = copy
        self.path = path
        self._stem = stem
        self._reading = reading

    def session(self, session_id: str) -> LegacySession | None:
        """The row of one session, or None."""
        row = self._copy.row("sessions", "session_id", session_id)
        return None if row is None else self._session(self._cleaned(row, "sessions"))

    def session_ids(self) -> Iterator[str]:
        """The ids of all rows of sessions; rows without a usable id are reported."""
        for row in self._copy.rows("sessions"):
            found = row.get("session_id")
            if type(found) is str and "\x00" not in found:
                yield found
            else:
                self._session(self._cleaned(row, "sessions"))

    def _session(self, row: Row) -> LegacySession | None:
        place = self._place("sessions", row.get("session_id"))
        given = dict(row)
        extra = self._document(given.pop("metadata", None), place, row)
        given["agent_config"] = self._document(given.get("agent_config"), place, row)
        given.setdefault("session_id", None)
        try:
            return SessionTaking(place, {"metadata": {**extra, **given}}, self._reading).session(())
        except BadSession as error:
            self._report(Level.REJECTED, error.code, place, str(error), row)
            return None

    def _rows(self, table: str) -> Iterator[Row]:
        for row in self._copy.rows(table):
            yield self._cleaned(row, table)

    def _cleaned(self, row: Row, table: str) -> Row:
        """The row as every database can store it: bytes as hexadecimal text, NUL and broken UTF-8 as U+FFFD."""
        replaced = Replaced()
        readable = {key: value.hex() if type(value) is bytes else value for key, value in row.items()}
        cleaned: Row = clean_json(readable, replaced)
        if replaced:
            place = self._place(table, row.get("session_id") or row.get("id") or row.get("key"))
            self._report(Level.REPAIRED, TEXT_REPLACED, place, EXPLAINED[TEXT_REPLACED], cleaned)
        return cleaned

    def workflows(self) -> Iterator[LegacyWorkflow]:
        """The rows of workflows; `config_data` is the definition."""
        for row in self._rows("workflows"):
            place = self._place("workflows", row.get("workflow_id"))
            name = row.get("workflow_id") or row.get("name")
            if type(name) is not str or not 0 < len(name) <= NAME_LENGTH:
                self._report(Level.REJECTED, "bad_workflow_id", place, "a workflow without a usable id", row)
                continue
            yield self._workflow(name, row, place)

    def _workflow(self, name: str, row: Row, place: Place) -> LegacyWorkflow:
        data = self._document(row.pop("config_data", None), place, row)
        definition, secrets = split_secrets(data)
        workflow = workflow_of(name, definition, place)
        workflow.secrets = secrets
        workflow.title = _text(row.get("name")) or workflow.title
        workflow.description = _text(row.get("description")) or workflow.description
        workflow.version = _text(row.get("version")) or workflow.version
        workflow.config_path = _text(row.get("config_path"))[:PATH_LENGTH] or workflow.config_path
        workflow.loaded_at = time_read(row.get("loaded_at"), self._reading.zone)
        workflow.last_used = time_read(row.get("last_used"), self._reading.zone)
        count = row.get("usage_count")
        workflow.usage_count = count if type(count) is int and 0 <= count < 2**63 else 0
        for key in row.keys() - WORKFLOW_COLUMNS:
            workflow.definition.setdefault(key, row[key])
        return workflow

    def configurations(self) -> Iterator[LegacyConfig]:
        """The rows of configurations, typed where the text is unmistakably JSON, with secrets taken out."""
        for row in self._rows("configurations"):
            key = row.get("key")
            place = self._place("configurations", key)
            if type(key) is not str or not 0 < len(key) <= NAME_LENGTH:
                self._report(Level.REJECTED, "bad_key", place, "a configuration without a usable key", None)
                continue
            value, secrets = split_secrets(typed(row.get("value"), self._reading.limits.depth), key)
            updated = time_read(row.get("updated_at"), self._reading.zone)
            yield LegacyConfig(key, _text(row.get("config_type"))[:100], value, place, secrets, updated)

    def statistics(self, begun_at: Callable[[str], datetime | None]) -> Iterator[LegacyRecord]:
        """The rows of statistics as metrics."""
        return self._facts("statistics", "metric", begun_at)

    def errors(self, begun_at: Callable[[str], datetime | None]) -> Iterator[LegacyRecord]:
        """The rows of errors as error records."""
        return self._facts("errors", "error", begun_at)

    def _facts(self, table: str, kind: str, begun_at: Callable[[str], datetime | None]) -> Iterator[LegacyRecord]:
        for row in self._rows(table):
            place = self._place(table, row.get("id"))
            taking = Taking(row, {}, kind, place)
            session_id = self._session_id(taking)
            fields = KINDS[kind](taking)
            if fields is None:
                detail = f"metric_value {row.get('metric_value')!r:.100} is no number"
                self._report(Level.REJECTED, "bad_metric_value", place, detail, row)
                continue
            timestamp = self._timestamp(taking, session_id, begun_at)
            taking.keep_unknown({"id", "session_id", "timestamp"} | fields.keys())
            fields["metadata"] = taking.metadata
            if taking.repairs:
                taking.line = _shown(row).encode()
                taking.report(self._reading)
            record_id = self._record_id(table, row)
            yield LegacyRecord(kind, session_id, record_id, timestamp, fields, place, bool(taking.repairs))

    def _session_id(self, taking: Taking) -> str:
        value = taking.raw.get("session_id")
        if type(value) is str and 0 < len(value) <= NAME_LENGTH:
            return value
        taking.repair("session_id", "session_id", f"no session; kept in the session {ORPHANS!r}")
        return ORPHANS

    def _timestamp(self, taking: Taking, session_id: str, begun_at: Callable[[str], datetime | None]) -> datetime:
        value = taking.raw.get("timestamp")
        found = time_read(value, self._reading.zone)
        if found is None:
            taking.metadata[TIME_AS_FOUND] = value
            found = begun_at(session_id) or EPOCH
            taking.repairs.append(("timestamp", f"timestamp: {value!r:.100} is no time; {found.isoformat()} stands in"))
        return found

    def _record_id(self, table: str, row: Row) -> str:
        """The same on every run: from the row's own id, or from its content where it has none."""
        key = row.get("id")
        if type(key) is not int:
            key = hashlib.sha256(json.dumps(row, sort_keys=True, default=str).encode()).hexdigest()[:32]
        return f"{self._stem[:150]}.{table}:{key}"

    def _document(self, value: Any, place: Place, row: Row) -> dict[str, Any]:
        """A JSON object kept as text in a column; anything else is reported and stands for nothing."""
        if value is None or value == "":
            return {}
        try:
            found = parse_json(str(value).encode(), self._reading.limits.depth).values[0]
        except BadJSON as error:
            found = error
        if type(found) is dict:
            return found
        self._report(Level.REPAIRED, "document", place, "a JSON column holds no JSON object", row)
        return {}

    def _place(self, table: str, key: Any) -> Place:
        return Place(self.path, table=table, key=clean_json(str(key)[:300], Replaced()))

    def _report(self, level: Level, code: str, place: Place, detail: str, row: Row | None) -> None:
        kind = ROW_KINDS[place.table or ""]
        self._reading.report(Finding(level, code, place, detail, kind, None if row is None else _shown(row)))


def _shown(row: Row) -> str:
    """The row for a finding: as JSON, without its secrets."""
    return json.dumps(split_secrets(row)[0], ensure_ascii=False, default=str)


def _text(value: Any) -> str:
    return value if type(value) is str else "" if value is None else str(value)


def typed(value: Any, depth: int) -> Any:
    """A JSON document in a text column as what it is; what would be written otherwise stays text."""
    if type(value) is not str:
        return value
    try:
        parsed = parse_json(value.encode(), depth)
    except BadJSON:
        return value
    found = parsed.values[0]
    whole = len(parsed.values) == 1 and parsed.rest is None
    return found if whole and (type(found) in (dict, list) or json.dumps(found) == value) else value
