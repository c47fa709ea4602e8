"""Reads the time forms that old stores hold."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from email.utils import parsedate_to_datetime
from typing import Any

_USUAL_LENGTH = len("2026-01-01T00:00:00Z")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# UTC as well. A moment that has it was read from a text without a zone: it rests on the one that was assumed. The mark
# travels with the value, also into another process, so that a parser hands it on without knowing.
_MARK = "UTC, assumed"
ASSUMED = timezone(timedelta(0), _MARK)
# The key of the metadata under which a time stands that could not be read.
TIME_AS_FOUND = "timestamp_as_found"
_ISO = re.compile(r"\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}([.,]\d+)?)? ?(Z|z|[+-]\d{2}(:?\d{2})?)?)?", re.ASCII)
_DIGITS = re.compile(r"\d{9,14}(\.\d+)?", re.ASCII)
_MAIL = re.compile(r"[A-Z][a-z]{2}, \d{1,2} [A-Z][a-z]{2} \d{4} ", re.ASCII)
_REPR = re.compile(r"datetime\.datetime\((\d{1,4}(?:, \d{1,6}){2,6})(, tzinfo=datetime\.timezone\.utc)?\)", re.ASCII)
_OFFSET = re.compile(r"([+-])(\d{1,2}):([0-5]\d)", re.ASCII)
# What all three databases hold and every zone can shift: MariaDB begins in the year 1000, the calendar ends in 9999.
_FIRST_YEAR, _LAST_YEAR = 1000, 9998
# Seconds reach the year 5138 here; larger numbers are milliseconds.
_FIRST_MILLISECONDS = 10**11
_BEYOND_MILLISECONDS = 10**14
# What MySQL takes as an offset is less.
_MOST_HOURS = 14
_MICROSECOND = timedelta(microseconds=1)


def time_read(value: Any, zone: tzinfo) -> datetime | None:
    """The moment in UTC that `value` names, or None where it names none.

    Accepted, in the years 1000 to 9998: ISO 8601 with or without zone (`zone` is taken where there is none, and the
    moment is marked as ASSUMED; digits beyond microseconds are cut), seconds or milliseconds since 1970 as a number or
    as digits, the date form of mail, and what Python prints for a time inside a structure. Nothing is guessed:
    anything else is None.
    """
    if type(value) is str:
        if len(value) == _USUAL_LENGTH and value[10] == "T" and value[19] == "Z":
            return _utc(value, zone)
        return _from_text(value.strip(), zone)
    if type(value) is int or type(value) is float:
        return _from_number(value)
    return None


def stated_time_read(value: Any, zone: tzinfo) -> datetime | None:
    """The same where the source itself says that its times are of `zone`: nothing is assumed."""
    found = time_read(value, zone)
    return found if found is None else found.replace(tzinfo=UTC)


def times_assumed(*moments: Any) -> int:
    """How many of these are moments that rest on the zone that was assumed."""
    return sum(map(_is_assumed, moments))


def _is_assumed(moment: Any) -> bool:
    return type(moment) is datetime and moment.tzinfo is not UTC and moment.tzname() == _MARK


def stamp_of(moment: datetime) -> int:
    """The moment as a number that a private base can order by; the lowest bit says whether a zone was assumed."""
    return ((moment - EPOCH) // _MICROSECOND) << 1 | times_assumed(moment)


def stamped(stamp: int) -> datetime:
    """The moment of such a number, marked as it was."""
    moment = EPOCH + (stamp >> 1) * _MICROSECOND
    return moment.replace(tzinfo=ASSUMED) if stamp & 1 else moment


def zone_of_offset(text: str) -> tzinfo | None:
    """The zone that is this far from UTC, such as `+08:00`; None for anything else."""
    found = _OFFSET.fullmatch(text)
    if found is None or int(found[2]) > _MOST_HOURS:
        return None
    distance = timedelta(hours=int(found[2]), minutes=int(found[3]))
    return timezone(-distance if found[1] == "-" else distance)


def _from_text(text: str, zone: tzinfo) -> datetime | None:
    if _ISO.fullmatch(text):
        return _utc(text.replace(" +", "+").replace(" Z", "Z").replace("z", "Z").replace(",", "."), zone)
    if _DIGITS.fullmatch(text):
        return _from_number(float(text) if "." in text else int(text))
    if _MAIL.match(text):
        return _utc(text, zone, parsedate_to_datetime)
    return _utc(text, zone, _from_repr) if _REPR.fullmatch(text) else None


def _from_repr(text: str) -> datetime:
    """The time in `datetime.datetime(2024, 10, 22, 17, 48)`."""
    found = _REPR.fullmatch(text)
    if found is None:
        raise ValueError(text)
    year, month, day, *clock = (int(part) for part in found[1].split(", "))
    hour, minute, second, micro, *_none = (*clock, 0, 0, 0, 0)
    return datetime(year, month, day, hour, minute, second, micro, tzinfo=UTC if found[2] else None)


def _utc(text: str, zone: tzinfo, read: Callable[[str], datetime] = datetime.fromisoformat) -> datetime | None:
    try:
        found = read(text)
        if found.tzinfo is None:
            found = found.replace(tzinfo=zone).astimezone(ASSUMED)
        elif found.tzinfo is not UTC:
            found = found.astimezone(UTC)
    except (ValueError, TypeError, OverflowError):
        return None
    return found if _FIRST_YEAR <= found.year <= _LAST_YEAR else None


def _from_number(number: float) -> datetime | None:
    """Seconds or milliseconds since 1970; None for anything else a number may be, such as 0, -1 or NaN."""
    if not 0 < number < _BEYOND_MILLISECONDS:
        return None
    if number >= _FIRST_MILLISECONDS:
        return EPOCH + timedelta(milliseconds=number)
    return EPOCH + timedelta(seconds=number)
