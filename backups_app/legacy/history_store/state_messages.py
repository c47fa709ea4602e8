"""Makes messages of `state.messages` for a session that has no history of its own."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from backups_app.legacy.fields import Taking
from backups_app.legacy.files import FoundFile
from backups_app.legacy.history_store.records import KNOWN_KEYS, message
from backups_app.legacy.history_store.sessions import read_session
from backups_app.legacy.times import EPOCH, TIME_AS_FOUND, time_read
from backups_app.legacy.types import Finding, LegacyRecord, LegacySession, Reading

ORIGIN = "state.messages"


def has_messages(state: dict[str, Any] | None) -> bool:
    """Whether the state holds a conversation."""
    return state is not None and type(state.get("messages")) is list and bool(state["messages"])


def state_messages(file: FoundFile, reading: Reading) -> Iterator[LegacyRecord]:
    """The messages in the state of a session file, in order, at the session's start unless they name a time.

    The file was read and reported before; only what is found about the messages is reported now.
    """
    session = read_session(file, Reading(report=_reported_before, zone=reading.zone, limits=reading.limits))
    if session is None or session.state is None:
        return
    for number, raw in enumerate(session.state["messages"]):
        yield _record(number, raw, session, reading)


def _record(number: int, raw: Any, session: LegacySession, reading: Reading) -> LegacyRecord:
    given = raw if type(raw) is dict else {"role": "system", "content": raw}
    own = given.get("metadata")
    metadata = {**own, "origin": ORIGIN} if type(own) is dict else {"origin": ORIGIN}
    taking = Taking(given, metadata, "message", session.place.at_row(ORIGIN, str(number)))
    fields = {**message(taking), "metadata": metadata}
    taking.keep_unknown(KNOWN_KEYS["message"])
    moment = _moment(taking, session, reading)
    taking.report(reading)
    repaired = bool(taking.repairs)
    return LegacyRecord("message", session.session_id, f"state:{number}", moment, fields, taking.place, repaired)


def _moment(taking: Taking, session: LegacySession, reading: Reading) -> datetime:
    """The time that the message names, else the start of its session."""
    given = taking.raw.get("timestamp")
    found = time_read(given, reading.zone)
    if found is None and given is not None:
        taking.metadata[TIME_AS_FOUND] = given
        taking.repairs.append(("timestamp", f"timestamp: {given!r:.100} is no time; the session's start stands in"))
    return found or session.created_at or EPOCH


def _reported_before(finding: Finding) -> None:
    """The first reading of the file said it all."""
