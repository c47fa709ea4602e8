"""Reads the lists `user_sessions:*`: whose a session is that has no key of its own any more."""

from backups_app.legacy.blueplan.entries import BadValue, report_repairs, value_of
from backups_app.legacy.blueplan.shelf import Shelf, Version
from backups_app.legacy.types import Finding, Level, Reading


def claims_take(shelf: Shelf, reading: Reading) -> None:
    """Take down which user's list names which session."""
    for versions in shelf.groups("user_sessions"):
        for version in versions:
            _claim(version, shelf, reading)


def _claim(version: Version, shelf: Shelf, reading: Reading) -> None:
    try:
        value, repairs = value_of(version.data, reading.limits.depth)
        if type(value) is not list:
            raise BadValue("not_a_list", "a user's sessions have to be a list of ids")
    except BadValue as error:
        reading.report(Finding(Level.REJECTED, error.code, version.place, str(error), "user_sessions"))
        return
    report_repairs(repairs, version.place, "user_sessions", reading)
    seen: set[str] = set()
    for session_id in value:
        if type(session_id) is not str or session_id in seen:
            detail = f"the list of {version.rest!r:.200} names {session_id!r:.200} twice, or as no text"
            reading.report(Finding(Level.NOTE, "odd_id", version.place, detail, "user_sessions"))
        else:
            seen.add(session_id)
            shelf.claim(session_id, version.rest, version.place)


def failed_claims_tell(shelf: Shelf, reading: Reading) -> None:
    """Tell which lists name sessions that are gone, or that are another user's."""
    for session_id, claimant, owner, place in shelf.claims_that_fail():
        if owner is None:
            why = "of which nothing is left"
        elif owner == "":
            continue
        else:
            why = f"which is the session of {owner!r:.200}; that counts"
        detail = f"the list of {claimant!r:.200} names the session {session_id!r:.200}, {why}"
        reading.report(Finding(Level.CONFLICT, "user_sessions", place, detail, "user_sessions"))
