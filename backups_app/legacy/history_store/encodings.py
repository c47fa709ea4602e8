"""Brings the bytes of a file to plain UTF-8 where a byte order mark says for certain what they are."""

import codecs

from backups_app.legacy.files import Unreadable
from backups_app.legacy.types import Finding, Level, Place, Reading

UTF16_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def as_utf8(data: bytes, place: Place, kind: str, reading: Reading) -> bytes:
    """The same text in UTF-8 without a mark, with a finding where anything was done.

    Without a mark nothing is guessed: what is not UTF-8 then is refused where it is parsed. Raises `Unreadable` for
    broken UTF-16.
    """
    if data.startswith(codecs.BOM_UTF8):
        reading.report(Finding(Level.NOTE, "byte_order_mark", place, "the UTF-8 byte order mark was taken off", kind))
        return data[len(codecs.BOM_UTF8) :]
    if not data.startswith(UTF16_MARKS):
        return data
    try:
        text = data.decode("utf-16")
    except UnicodeDecodeError as error:
        raise Unreadable(f"begins as UTF-16 and is not: {error.reason} at byte {error.start}") from error
    reading.report(Finding(Level.REPAIRED, "utf16", place, "UTF-16 by its byte order mark, read as such", kind))
    return text.encode("utf-8")
