"""Makes records of what a session's state says has happened: messages, tool calls, model calls, errors."""

import hashlib
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from backups_app.legacy.fields import Taking
from backups_app.legacy.history_store.records import KINDS, KNOWN_KEYS
from backups_app.legacy.times import EPOCH, TIME_AS_FOUND, time_read
from backups_app.legacy.types import Finding, LegacyRecord, LegacySession, Level, Place, Reading

FROM_CALL = "api_call"
# Which lists of a state tell what; a list of the second tool name only counts where there is none of the first.
LISTS = {"messages": "message", "tool_calls": "tool_call", "llm_calls": "llm_request", "errors": "error"}
RESULTS = "tool_results"
_RESPONSE_KEYS = frozenset({"response", "token_usage", "response_time"})
_COMMON_KEYS = ("model", "provider", "timestamp", "request_id")
_OWN = frozenset({"record_id", "session_id", "record_type"})


def records_of(session: LegacySession, reading: Reading) -> list[LegacyRecord]:
    """The records in time order, those of one moment as they stand. Their ids are made of where they stand."""
    state = session.state or {}
    lists = dict(LISTS)
    if not state.get("tool_calls"):
        lists[RESULTS] = "tool_call"
    records: list[LegacyRecord] = []
    for name, kind in lists.items():
        if state.get(name):
            records += _List(session, name, kind, reading).records(state[name])
    records.sort(key=lambda record: record.timestamp)
    for record in records:
        record.size = session.size // len(records)
    return records


class _List:
    """One list of a state being taken. It remembers the last time seen, which stands in where an entry has none."""

    def __init__(self, session: LegacySession, name: str, kind: str, reading: Reading) -> None:
        self._session = session
        self._name = name
        self._kind = kind
        self._reading = reading
        self._moment = session.created_at or EPOCH

    def records(self, entries: Any) -> Iterator[LegacyRecord]:
        """The records; what can be none is told."""
        if type(entries) is not list:
            self._reject(self._place(""), f"{self._name} is no list")
            return
        for number, raw in enumerate(entries):
            entry = self._entry(raw)
            if entry is None:
                self._reject(self._place(str(number)), "an entry has to be an object")
            elif self._kind == "llm_request":
                yield from self._call(number, entry)
            else:
                yield self._record(self._kind, number, entry)

    def _entry(self, raw: Any) -> dict[str, Any] | None:
        if type(raw) is dict:
            if "output" in raw and "tool_output" not in raw and self._kind == "tool_call":
                return {("tool_output" if key == "output" else key): item for key, item in raw.items()}
            return raw
        if self._kind == "message":
            return {"role": "system", "content": raw}
        return {"error_message": raw} if self._kind == "error" and type(raw) is str else None

    def _call(self, number: int, raw: dict[str, Any]) -> Iterator[LegacyRecord]:
        """A model call in up to three records: what was asked, what was answered, what it used."""
        request = {key: item for key, item in raw.items() if key not in _RESPONSE_KEYS}
        if type(request.get("request_id")) is not str or not request["request_id"]:
            request["request_id"] = self._id(number, "llm_request")
        yield self._record("llm_request", number, request)
        common: dict[str, Any] = {key: request[key] for key in _COMMON_KEYS if key in request}
        answer = {key: raw[key] for key in _RESPONSE_KEYS if raw.get(key) is not None}
        usage = answer.get("token_usage")
        if usage is not None and type(usage) is not dict:
            answer["token_usage_as_found"] = answer.pop("token_usage")
        if answer:
            yield self._record("llm_response", number, {**common, **answer})
        if type(usage) is dict:
            del common["request_id"]
            yield self._record("token_usage", number, {**common, "source": FROM_CALL, **usage})

    def _record(self, kind: str, number: int, raw: dict[str, Any]) -> LegacyRecord:
        own = raw.get("metadata")
        taking = Taking(raw, dict(own) if type(own) is dict else {}, kind, self._place(str(number)))
        if own is not None and type(own) is not dict:
            taking.repair("metadata", "metadata", "not an object, kept as found")
        fields = KINDS[kind](taking) or {}
        taking.keep_unknown(KNOWN_KEYS[kind] - _OWN)
        moment = self._time(taking)
        taking.report(self._reading)
        return LegacyRecord(
            kind=kind,
            session_id=self._session.session_id,
            record_id=self._id(number, kind),
            timestamp=moment,
            fields={**fields, "metadata": taking.metadata},
            place=taking.place,
            repaired=bool(taking.repairs),
        )

    def _time(self, taking: Taking) -> datetime:
        given = taking.raw.get("timestamp")
        found = time_read(given, self._reading.zone)
        if found is None and given is not None:
            taking.metadata[TIME_AS_FOUND] = given
            detail = f"timestamp: {given!r:.100} is no time; {self._moment.isoformat()} stands in"
            taking.repairs.append(("timestamp", detail))
        self._moment = found or self._moment
        return self._moment

    def _id(self, number: int, kind: str) -> str:
        """The same for the same entry, wherever the session was saved and however often it is brought in."""
        origin = "\x00".join((self._session.session_id, self._name, str(number), kind))
        return f"payload:{hashlib.sha256(origin.encode()).hexdigest()[:32]}"

    def _place(self, number: str) -> Place:
        """The entry's place; in a batch the key of its member comes first."""
        place = self._session.place
        inside = f"{place.key}/{number}" if place.key is not None else number
        return place.at_row(self._name, inside)

    def _reject(self, place: Place, detail: str) -> None:
        self._reading.report(Finding(Level.REJECTED, "bad_entry", place, detail, self._kind))
