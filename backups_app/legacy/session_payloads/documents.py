"""Reads the sessions of one JSON file: of a batch one at a time, however many they are."""

from codecs import BOM_UTF8
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum
from io import SEEK_END, BytesIO
from typing import IO, Any

from msgspec import Struct

from backups_app.legacy.elements import Elements, key_of
from backups_app.legacy.files import READ_TO_LOOK, FoundFile, Line, Unreadable, open_plain, read_whole
from backups_app.legacy.history_store.encodings import UTF16_MARKS, as_utf8
from backups_app.legacy.json_exact import EXPLAINED, BadJSON, Parsed, parse_json
from backups_app.legacy.session_payloads.shapes import BATCH, OWN_KEYS, Payload, is_session, payloads_in
from backups_app.legacy.types import Finding, Level, Place, Reading

_LOOKED_INTO = 4096
_INVALID = "invalid_json"
_SEVERAL = "more than one JSON value"


class _Shape(Enum):
    BATCH = "a list of sessions, or an object of them"
    ONE = "one value, to be read whole"
    NONE = "a list or an object without a session"


class _Member(Struct):
    """One element of a list, or one member of an object, which has a key; its value is not parsed yet."""

    piece: Line
    value: bytes
    key: Any = None
    repairs: tuple[str, ...] = ()


def payloads_of(file: FoundFile, reading: Reading) -> Iterator[Payload]:
    """The sessions in a file. A finding never quotes a file, for its settings may hold secrets."""
    place = Place(file.name)
    try:
        with _opened(file, place, reading) as opened:
            yield from _Document(opened, place, reading).payloads()
    except BadJSON as error:
        reading.report(Finding(Level.REJECTED, error.code, place, str(error), "session"))
    except Unreadable as error:
        reading.report(Finding(Level.REJECTED, "unreadable", place, str(error), "session"))


@contextmanager
def _opened(file: FoundFile, place: Place, reading: Reading) -> Iterator[IO[bytes]]:
    """The file in UTF-8, behind its byte order mark."""
    with open_plain(file.path) as opened:
        mark = opened.read(len(BOM_UTF8))
        if mark.startswith(UTF16_MARKS):
            yield BytesIO(as_utf8(read_whole(file.path, reading.limits.document_bytes), place, "session", reading))
        else:
            opened.seek(len(mark) - len(as_utf8(mark, place, "session", reading)))
            yield opened


class _Document:
    """One JSON document. First it is found out what it is: whether an object is a batch, its last key may say."""

    def __init__(self, opened: IO[bytes], place: Place, reading: Reading) -> None:
        self._file = opened
        self._begins_at = opened.tell()
        self._place = place
        self._reading = reading

    def payloads(self) -> Iterator[Payload]:
        """The sessions. Raises `BadJSON` or `Unreadable` where something is wrong with the document as a whole."""
        shape = self._shape_told()
        if shape is _Shape.BATCH:
            for member in self._members():
                yield from self._payloads_of(member)
        elif shape is _Shape.ONE:
            yield from self._whole()
        else:
            yield from payloads_in(None, self._place, None, self._reading.report)

    def _shape_told(self) -> _Shape:
        """What it is. Where that fails, and it is small, it is read whole, for that tells the line of the fault."""
        try:
            return self._shape()
        except BadJSON:
            if self._file.seek(0, SEEK_END) > READ_TO_LOOK:
                raise
            return _Shape.ONE

    def _shape(self) -> _Shape:
        begun = self._first_sign()
        if begun not in (b"[", b"{"):
            return _Shape.ONE
        own: dict[str, Any] = {}
        holds_session, fault = False, None
        for member in self._members():
            if member.key in OWN_KEYS:
                own[member.key] = [] if member.value.startswith(b"[") else None
                if is_session(own):
                    return _Shape.ONE
            if holds_session:
                # Behind a first session the keys are enough.
                continue
            try:
                holds_session = is_session(self._parsed(member).values[0])
            except BadJSON as error:
                fault = fault or error
            if holds_session and begun == b"[":
                return _Shape.BATCH
        if fault is not None and not holds_session:
            raise fault
        return _Shape.BATCH if holds_session else _Shape.NONE

    def _first_sign(self) -> bytes:
        while piece := self._file.read(_LOOKED_INTO):
            if begun := piece.lstrip():
                return begun[:1]
        return b""

    def _whole(self) -> Iterator[Payload]:
        limits = self._reading.limits
        self._file.seek(self._begins_at)
        data = self._file.read(limits.document_bytes + 1)
        if len(data) > limits.document_bytes:
            raise Unreadable(f"larger than {limits.document_bytes} bytes")
        parsed = _of_one_value(parse_json(data, limits.depth))
        for payload in payloads_in(parsed.values[0], self._place, None, self._reading.report):
            yield self._told(payload, len(data), parsed.repairs)

    def _payloads_of(self, member: _Member) -> Iterator[Payload]:
        """The session that a member of a batch is. One that is damaged is told, and those beside it are read."""
        number = member.piece.number
        place = self._place.at_row(BATCH, str(number) if member.key is None else member.key)
        try:
            parsed = self._parsed(member)
        except BadJSON as error:
            self._reading.report(Finding(Level.REJECTED, error.code, place, str(error), "session"))
            return
        repairs = tuple(dict.fromkeys(member.repairs + parsed.repairs))
        for payload in payloads_in(parsed.values[0], place, member.key, self._reading.report):
            payload.number = number
            yield self._told(payload, len(member.piece.data), repairs)

    def _told(self, payload: Payload, size: int, repairs: tuple[str, ...]) -> Payload:
        payload.size, payload.repairs = size, repairs
        for code in repairs:
            self._reading.report(Finding(Level.REPAIRED, code, payload.place, EXPLAINED[code], "session"))
        return payload

    def _parsed(self, member: _Member) -> Parsed:
        limits = self._reading.limits
        if member.piece.too_long:
            raise BadJSON("too_long", f"longer than {limits.document_bytes} bytes")
        return _of_one_value(parse_json(member.value, limits.depth - 1))

    def _members(self) -> Iterator[_Member]:
        """The members of the list or object, as they stand. Raises `BadJSON` where there is no telling them apart."""
        self._file.seek(self._begins_at)
        elements = Elements(self._file, self._reading.limits.document_bytes)
        try:
            for piece in elements:
                yield self._keyed(piece) if elements.is_object else _Member(piece, piece.data)
        except Unreadable as error:
            raise BadJSON(_INVALID, str(error)) from error
        if elements.are_followed():
            raise BadJSON(_INVALID, _SEVERAL)

    def _keyed(self, piece: Line) -> _Member:
        found = key_of(piece.data)
        if found is None:
            raise BadJSON(_INVALID, f"entry {piece.number} has no key")
        key = parse_json(found[0], self._reading.limits.depth)
        return _Member(piece, piece.data[found[1] :], key.values[0], key.repairs)


def _of_one_value(parsed: Parsed) -> Parsed:
    """Raises `BadJSON` where several values stand together."""
    if len(parsed.values) != 1 or parsed.rest:
        raise BadJSON(_INVALID, _SEVERAL)
    return parsed
