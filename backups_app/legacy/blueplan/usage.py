"""Makes token usage of the keys `token_usage:*`, and holds it against the sums that the old system kept."""

import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from backups_app.legacy.blueplan.entries import BadValue, quoted, report_repairs, value_of
from backups_app.legacy.blueplan.messages import made_id
from backups_app.legacy.blueplan.shelf import Shelf, Version
from backups_app.legacy.fields import NAME_LENGTH, Taking
from backups_app.legacy.history_store.records import KNOWN_KEYS, token_usage
from backups_app.legacy.times import EPOCH, TIME_AS_FOUND, time_read
from backups_app.legacy.types import Finding, LegacyRecord, Level, Reading, raw_text

_KNOWN = KNOWN_KEYS["token_usage"] | {"user_id"}
_DAY = len("2026-01-01")
_STATISTICS = "statistics"
# Which of the old system's sums are over what: the columns that the parts of the key name.
SUMS = {
    "session_token_stats": ("session_id",),
    "user_token_stats": ("user_id", "day"),
    "global_token_stats": ("day",),
}


def usage_of(versions: list[Version], shelf: Shelf, reading: Reading) -> LegacyRecord | None:
    """The use of tokens under a key. Whose it is says the value; only where it does not, known ids in the key do."""
    version = versions[0]
    try:
        value, repairs = value_of(version.data, reading.limits.depth)
        if type(value) is not dict:
            raise BadValue("not_an_object", "a use of tokens has to be a JSON object")
        session_id, user_id = _whose(value, version.rest, shelf)
    except BadValue as error:
        raw = raw_text(quoted("token_usage", version.data) or b"")
        reading.report(Finding(Level.REJECTED, error.code, version.place, str(error), "token_usage", raw))
        return None
    report_repairs(repairs, version.place, "token_usage", reading)
    for other in versions[1:]:
        detail = f"{version.place} has another value under {version.rest!r:.300}, which counts"
        reading.report(Finding(Level.CONFLICT, "key_differs", other.place, detail, "token_usage"))
    given = {key: item for key, item in value.items() if key != "tokens_used"}
    given |= {"total_tokens": value.get("tokens_used"), "user_id": user_id}
    taking = Taking(given, {}, "token_usage", version.place, version.data)
    fields = token_usage(taking)
    taking.keep_unknown(_KNOWN)
    moment = _time(taking, version.rest, shelf.session(session_id), reading)
    taking.report(reading)
    shelf.note_use(session_id, user_id, _day(given, moment), fields["model"], fields["total_tokens"] or 0)
    return LegacyRecord(
        kind="token_usage",
        session_id=session_id,
        record_id=made_id("token_usage", version.rest),
        timestamp=moment,
        fields={**fields, "metadata": taking.metadata},
        place=version.place,
        repaired=bool(taking.repairs or repairs),
        size=len(version.data),
    )


def _whose(value: dict[str, Any], rest: str, shelf: Shelf) -> tuple[str, str]:
    """The session and the user of a use. Raises `BadValue` where neither the value nor the key says for certain."""
    session_id, user_id = _id(value.get("session_id")), _id(value.get("user_id"))
    if session_id:
        return session_id, user_id
    parts = rest.split(":")
    span = shelf.known_session_in(parts)
    if span is None:
        raise BadValue("whose_is_it", "the value names no session, and no known session stands in the key")
    return ":".join(parts[slice(*span)]), user_id or ":".join(parts[: span[0]])


def _id(value: Any) -> str:
    """The value where it can be an id, else nothing."""
    return value if type(value) is str and len(value) <= NAME_LENGTH else ""


def _time(taking: Taking, rest: str, session: tuple[str, datetime | None] | None, reading: Reading) -> datetime:
    """The time of a use: its own, else that in its key, else the start of its session."""
    given = taking.raw.get("timestamp")
    found = time_read(given, reading.zone)
    if found is not None:
        return found
    in_key = next((moment for tail in _tails(rest) if (moment := time_read(tail, reading.zone))), None)
    stands_in = in_key or (session and session[1]) or EPOCH
    taking.metadata[TIME_AS_FOUND] = given
    taking.repairs.append(("timestamp", f"timestamp: {given!r:.100} is no time; {stands_in.isoformat()} stands in"))
    return stands_in


def _tails(rest: str) -> Iterator[str]:
    """What may be the time at the end of a key: a time has up to four colons of its own."""
    parts = rest.split(":")
    return (":".join(parts[-count:]) for count in range(min(5, len(parts) - 1), 1, -1))


def _day(given: dict[str, Any], moment: datetime) -> str:
    """The day under which the old system added the use: that of the time as it wrote it."""
    told = given.get("timestamp")
    return told[:_DAY] if type(told) is str and len(told) >= _DAY else moment.date().isoformat()


def sums_compare(category: str, versions: list[Version], shelf: Shelf, reading: Reading) -> None:
    """Hold a sum of the old system against the uses. Where they differ that is told; the uses are the truth."""
    version, columns = versions[0], SUMS[category]
    try:
        value, _repairs = value_of(version.data, reading.limits.depth)
        if type(value) is not dict or "total_tokens" not in value:
            raise BadValue("not_an_object", "a sum has to be an object with total_tokens")
        names = version.rest.rsplit(":", 1) if len(columns) > 1 else [version.rest]
        if len(names) != len(columns):
            raise BadValue("bad_key", "the key names no day")
    except BadValue as error:
        reading.report(_finding(Level.REJECTED, error.code, version, str(error)))
        return
    used = shelf.used(**dict(zip(columns, names, strict=True)))
    told, total = value.get("model_usage"), sum(used.values())
    if value["total_tokens"] != total or (type(told) is dict and told != used):
        detail = (
            f"{category} {version.rest!r:.300} says {json.dumps(value['total_tokens'])[:40]} tokens, the uses add up to"
            f" {total}; the uses count"
        )
        reading.report(_finding(Level.CONFLICT, "sums_differ", version, detail))


def _finding(level: Level, code: str, version: Version, detail: str) -> Finding:
    return Finding(level, code, version.place, detail, _STATISTICS, raw_text(version.data))
