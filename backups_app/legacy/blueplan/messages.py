"""Makes messages of the lists `conversation:*`; an answer of a tool becomes a tool call as well."""

import hashlib
import json
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from backups_app.legacy.blueplan.entries import BadValue, quoted, report_repairs, value_of
from backups_app.legacy.blueplan.shelf import Version
from backups_app.legacy.fields import Taking
from backups_app.legacy.history_store.records import COMMON, message, tool_call
from backups_app.legacy.times import EPOCH, TIME_AS_FOUND, time_read
from backups_app.legacy.types import Finding, LegacyRecord, Level, Place, Reading, raw_text

_OWN = frozenset({"message_type", "role", "content"}) | (COMMON - {"record_id", "session_id", "record_type"})
_TOOL = "tool"
_PIECE = 64 * 1024


def messages_of(versions: list[Version], begun: datetime | None, reading: Reading) -> list[LegacyRecord]:
    """The messages of a conversation as its list has them.

    The old system cuts a list to its last hundred: what another version still has comes in where its time puts it.
    A `message_id` says nothing (after the cut it is 101 for good); a message is known by its time and content, and by
    how many like it came before.
    """
    records: list[LegacyRecord] = []
    known: set[str] = set()
    for version in versions:
        values = _list_of(version, reading)
        found = [] if values is None else list(_Conversation(version, begun, reading).records(values))
        fresh = [record for record in found if record.record_id not in known]
        known.update(record.record_id for record in fresh)
        records = fresh if not records else _woven(records, fresh)
    return records


def with_tool_calls(records: list[LegacyRecord], reading: Reading) -> Iterator[LegacyRecord]:
    """The messages, each that is a tool's answer followed by the call that it answers."""
    for record in records:
        yield record
        if record.fields["role"] == _TOOL and record.fields["metadata"].get("tool_name"):
            yield _call_of(record, reading)


def _list_of(version: Version, reading: Reading) -> list[Any] | None:
    raw = raw_text(quoted("message", version.data) or b"")
    try:
        value, repairs = value_of(version.data, reading.limits.depth)
    except BadValue as error:
        reading.report(Finding(Level.REJECTED, error.code, version.place, str(error), "message", raw))
        return None
    if type(value) is not list:
        detail = "a conversation has to be a list of messages"
        reading.report(Finding(Level.REJECTED, "not_a_list", version.place, detail, "message", raw))
        return None
    report_repairs(repairs, version.place, "message", reading)
    return value


class _Conversation:
    """One version of a conversation. It remembers the last time seen, which stands in where a message has none."""

    def __init__(self, version: Version, begun: datetime | None, reading: Reading) -> None:
        self._version = version
        self._reading = reading
        self._moment = begun or EPOCH
        self._alike: Counter[bytes] = Counter()

    def records(self, values: list[Any]) -> Iterator[LegacyRecord]:
        """The messages; what can be none is told."""
        size = len(self._version.data) // max(len(values), 1)
        for number, raw in enumerate(values):
            place = self._place(number)
            if type(raw) is dict:
                yield self._record(raw, place, size)
            elif type(raw) is str:
                yield self._record({"role": "system", "content": raw}, place, size, ("not_an_object", "a bare text"))
            else:
                detail = "a message has to be an object"
                self._reading.report(Finding(Level.REJECTED, "not_an_object", place, detail, "message", repr(raw)))

    def _record(self, raw: dict[str, Any], place: Place, size: int, *repairs: tuple[str, str]) -> LegacyRecord:
        own = raw.get("metadata")
        taking = Taking(raw, dict(own) if type(own) is dict else {}, "message", place, repairs=list(repairs))
        if own is not None and type(own) is not dict:
            taking.repair("metadata", "metadata", "not an object, kept as found")
        fields = {**message(taking), "metadata": taking.metadata}
        taking.keep_unknown(_OWN)
        moment = self._time(taking)
        if taking.repairs:
            taking.line = json.dumps(raw, ensure_ascii=False, default=str).encode()
            taking.report(self._reading)
        session_id, repaired = self._version.rest, bool(taking.repairs)
        return LegacyRecord("message", session_id, self._id(raw), moment, fields, place, repaired=repaired, size=size)

    def _time(self, taking: Taking) -> datetime:
        given = taking.raw.get("timestamp")
        found = time_read(given, self._reading.zone)
        if found is None:
            if given is not None:
                taking.metadata[TIME_AS_FOUND] = given
            detail = f"timestamp: {given!r:.100} is no time; {self._moment.isoformat()} stands in"
            taking.repairs.append(("timestamp", detail))
        self._moment = found or self._moment
        return self._moment

    def _id(self, raw: dict[str, Any]) -> str:
        """As of `made_id`, of a text that is never whole in memory: JSON is several times as long as a long message."""
        told = [raw.get(key) for key in ("timestamp", "role", "content", "tool_name", "tool_args")]
        origin = hashlib.sha256()
        for piece in _json_pieces(self._version.rest, told):
            origin.update(piece.encode())
        known = origin.digest()
        self._alike[known] += 1
        origin.update(f"\0{self._alike[known]}".encode())
        return _id_of(origin.hexdigest())

    def _place(self, number: int) -> Place:
        place = self._version.place
        return place.at_row("messages", str(number) if place.key is None else f"{place.key}/{number}")


def made_id(*origin: str) -> str:
    """An id that is the same whenever and from wherever the same comes in."""
    return _id_of(hashlib.sha256("\0".join(origin).encode()).hexdigest())


def _id_of(digest: str) -> str:
    return f"blueplan:{digest[:32]}"


def _json_pieces(rest: str, told: list[Any]) -> Iterator[str]:
    """What `json.dumps([rest, told], sort_keys=True)` gives, long texts piece by piece."""
    yield f"[{json.dumps(rest)}, ["
    for number, item in enumerate(told):
        yield ", " if number else ""
        if type(item) is not str:
            yield json.dumps(item, sort_keys=True)
            continue
        yield '"'
        for start in range(0, len(item), _PIECE):
            yield json.dumps(item[start : start + _PIECE])[1:-1]
        yield '"'
    yield "]]"


def _woven(records: list[LegacyRecord], extra: list[LegacyRecord]) -> list[LegacyRecord]:
    """The list with further messages, each before the first that is later than it."""
    woven: list[LegacyRecord] = []
    rest = sorted(extra, key=lambda record: record.timestamp)
    for record in records:
        while rest and rest[0].timestamp < record.timestamp:
            woven.append(rest.pop(0))
        woven.append(record)
    return woven + rest


def _call_of(record: LegacyRecord, reading: Reading) -> LegacyRecord:
    """The call that a tool's answer answers. It has an answer, so it is taken to have succeeded unless it says else."""
    answer = record.fields["metadata"]
    raw = {"tool_name": answer["tool_name"], "tool_input": answer.get("tool_args")}
    raw["tool_output"] = record.fields["content"]
    told = {key: answer[key] for key in ("success", "status", "error_message", "execution_time") if key in answer}
    metadata: dict[str, Any] = {"message": record.record_id}
    if "success" not in told and "status" not in told:
        told["success"] = metadata["success_assumed"] = True
    taking = Taking({**raw, **told}, metadata, "tool_call", record.place)
    fields = {**tool_call(taking), "metadata": metadata}
    record_id = made_id(record.record_id, "tool_call")
    taking.report(reading)
    repaired = bool(taking.repairs)
    place, size = record.place, record.size
    return LegacyRecord("tool_call", record.session_id, record_id, record.timestamp, fields, place, repaired, size=size)
