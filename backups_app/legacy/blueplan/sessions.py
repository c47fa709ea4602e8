"""Makes sessions of the keys `session:*`, and of what only other keys tell of."""

from datetime import datetime
from typing import Any

from backups_app.legacy.blueplan.entries import BadValue, report_repairs, value_of
from backups_app.legacy.blueplan.shelf import Version
from backups_app.legacy.fields import NAME_LENGTH
from backups_app.legacy.history_store.sessions import TITLE_LENGTH, BadSession, SessionTaking
from backups_app.legacy.times import EPOCH
from backups_app.legacy.types import Finding, LegacySession, Level, Place, Reading

STATUS = "inactive"
# Marks a session that no key of its own tells of: a later import may fill it.
PLACEHOLDER = "placeholder"
_RENAMED: dict[str, str] = {"last_activity": "updated_at"}


def session_of(versions: list[Version], reading: Reading) -> LegacySession | None:
    """The session of a key. Of several versions the one with the latest activity counts; the others are told."""
    taken: list[tuple[LegacySession, list[Finding]]] = []
    failed: list[Finding] = []
    for version in versions:
        findings: list[Finding] = []
        of_version = Reading(findings.append, reading.zone, reading.limits)
        try:
            taken.append((_taken(version, of_version), findings))
        except (BadValue, BadSession) as error:
            failed.append(Finding(Level.REJECTED, error.code, version.place, str(error), "session"))
    for finding in failed:
        reading.report(finding)
    if not taken:
        return None
    session, findings = max(taken, key=lambda one: one[0].updated_at or EPOCH)
    for finding in findings:
        reading.report(finding)
    for other, _unsaid in taken:
        if other is not session:
            detail = f"{session.place} has the session {session.session_id!r:.300} as it was later; that counts"
            reading.report(Finding(Level.NOTE, "older_version", other.place, detail, "session"))
    return session


def _taken(version: Version, reading: Reading) -> LegacySession:
    value, repairs = value_of(version.data, reading.limits.depth)
    if type(value) is not dict:
        raise BadValue("not_an_object", "a session has to be a JSON object")
    report_repairs(repairs, version.place, "session", reading)
    given: dict[str, Any] = {_RENAMED.get(key, str(key)): item for key, item in value.items()}
    document: dict[str, Any] = {"metadata": given}
    _bring_context(document, given)
    if given.get("session_id", version.rest) != version.rest:
        detail = f"the value names the session {given['session_id']!r:.100}; the key counts"
        reading.report(Finding(Level.CONFLICT, "session_id", version.place, detail, "session"))
        given["session_id_as_found"] = given["session_id"]
    given["session_id"] = version.rest
    session = SessionTaking(version.place, document, reading).session(())
    session.size = len(version.data)
    session.repaired = session.repaired or bool(repairs)
    return session


def _bring_context(document: dict[str, Any], given: dict[str, Any]) -> None:
    """What the old system kept as `data` of a session is its context here."""
    data = given.get("data")
    if type(data) is dict:
        del given["data"]
        document["context"] = data
        title = data.get("title")
        if type(title) is str and len(title) <= TITLE_LENGTH:
            given.setdefault("title", title)


def placeholder_of(session_id: str, user_id: str, begun: datetime, place: Place, reading: Reading) -> LegacySession:
    """A session that has expired and of which other keys are left; it is marked so, and told."""
    detail = f"no key tells of the session {session_id!r:.300} any more; a placeholder was made of what is left"
    reading.report(Finding(Level.NOTE, "expired_session", place, detail, "session"))
    return LegacySession(
        session_id=session_id,
        place=place,
        status=STATUS,
        created_at=begun,
        updated_at=begun,
        user_id=user_id[:NAME_LENGTH],
        metadata={PLACEHOLDER: True},
    )
