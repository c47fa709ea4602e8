"""Reads the chats of a file or a folder: JSON lists of any length, JSON documents, and JSON Lines, also packed."""

import re
from codecs import BOM_UTF8
from collections.abc import Generator, Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Any

from msgspec import Struct

from backups_app.legacy.elements import Elements
from backups_app.legacy.files import (
    READ_TO_LOOK,
    FoundFile,
    Line,
    Unreadable,
    beginning,
    files_at,
    lines_of,
    open_unpacked,
)
from backups_app.legacy.history_store.encodings import as_utf8
from backups_app.legacy.json_exact import EXPLAINED, BadJSON, Parsed, parse_json
from backups_app.legacy.listing import files_listed
from backups_app.legacy.plain_chats.chats import Chat, ChatTaking, Told
from backups_app.legacy.plain_chats.shapes import chat_in, is_certain, is_message
from backups_app.legacy.types import Finding, LegacyItem, Level, Limits, Place, Reading, raw_text

DOCUMENTS = (".json", ".json.gz")
LINES = (".jsonl", ".ndjson", ".jsonl.gz", ".ndjson.gz")
LOOKED_AT = 50
OTHERS_IN_A_ROW = 1000
_LOOKED_INTO = 4096
CHUNK_SESSIONS = 200
CHUNK_BYTES = 8_000_000
ENTRY = "chat"
# How a document begins that is one object with a chat in it, if it says nothing of more depth before its messages.
_ONE_CHAT = re.compile(rb'\s*\{[^{}\[\]]*"(?:messages|conversations?)"\s*:\s*\[\s*\{\s*"(?:role|from)"\s*:')


def looks_like_plain_chats(root: Path) -> bool:
    """Whether one of the first JSON files at the path begins, beyond doubt, with a chat."""
    found = (entry for entry in files_at(root) if isinstance(entry, FoundFile))
    files = (entry for entry in found if _may_hold_chats(entry))
    return any(_begins_with_chat(file) for file in islice(files, LOOKED_AT))


def _begins_with_chat(file: FoundFile) -> bool:
    quiet = Reading(report=_said_later, limits=Limits(line_bytes=READ_TO_LOOK, document_bytes=READ_TO_LOOK))
    first = next((value for value in values_in(file, quiet)), None)
    if first is None and file.size > READ_TO_LOOK and file.name.endswith(DOCUMENTS[0]):
        with suppress(Unreadable):
            return _ONE_CHAT.match(beginning(file.path)) is not None
    return first is not None and is_certain(first.value)


class Value(Struct):
    """One JSON value of a file: where it stands, and how many bytes it took. `position` is "" where it is the file."""

    value: Any
    place: Place
    position: str
    size: int
    repairs: tuple[str, ...] = ()


def values_in(file: FoundFile, reading: Reading) -> Iterator[Value]:
    """The values of a file: the elements of its list, its lines, or what else it holds. Bad ones are told."""
    limits = reading.limits
    try:
        if file.name.endswith(LINES):
            for line in lines_of(file.path, line_bytes=limits.line_bytes, unpack_ratio=limits.unpack_ratio):
                if line.data.strip():
                    yield from _values_of(line, Place(file.name, line.number), reading)
            return
        with open_unpacked(file.path, limits.unpack_ratio) as opened:
            begun = opened.read(_LOOKED_INTO)
            unmarked = begun.removeprefix(BOM_UTF8)
            opened.seek(0)
            if unmarked.lstrip()[:1] == b"[":
                opened.seek(len(begun) - len(unmarked))
                for element in Elements(opened, limits.line_bytes):
                    place = Place(file.name).at_row(ENTRY, str(element.number))
                    yield from _values_of(element, place, reading)
                return
            data = opened.read(limits.document_bytes + 1)
        if len(data) > limits.document_bytes:
            raise Unreadable(
                f"larger than {limits.document_bytes} bytes; as a list, or one chat a line, it can be read"
            )
        yield from _whole(data, Place(file.name), reading)
    except Unreadable as error:
        reading.report(Finding(Level.REJECTED, "unreadable", Place(file.name), str(error), "file"))


def _whole(data: bytes, place: Place, reading: Reading) -> Iterator[Value]:
    """The one value of a document; several where it is JSON Lines by another name."""
    parsed = _parsed(as_utf8(data, place, "file", reading), place, reading)
    if parsed is None:
        return
    values = parsed.values
    if len(values) == 1 and (type(values[0]) is not list or chat_in(values[0])):
        yield Value(values[0], place, "", len(data), parsed.repairs)
        return
    values = values[0] if len(values) == 1 else values
    for number, value in enumerate(values):
        yield Value(value, place.at_row(ENTRY, str(number)), str(number), len(data) // len(values))


def _values_of(piece: Line, place: Place, reading: Reading) -> Iterator[Value]:
    if piece.too_long:
        detail = f"longer than {reading.limits.line_bytes} bytes"
        reading.report(Finding(Level.REJECTED, "too_long", place, detail, "session", raw_text(piece.data)))
        return
    parsed = _parsed(piece.data, place, reading)
    for value in parsed.values if parsed else ():
        yield Value(value, place, str(piece.number), len(piece.data), parsed.repairs if parsed else ())


def _parsed(data: bytes, place: Place, reading: Reading) -> Parsed | None:
    try:
        parsed = parse_json(data.removeprefix(BOM_UTF8), reading.limits.depth)
    except BadJSON as error:
        reading.report(Finding(Level.REJECTED, error.code, place, str(error), "session", raw_text(data)))
        return None
    if parsed.rest is not None:
        detail = f"the rest: {parsed.rest}"
        reading.report(Finding(Level.REJECTED, parsed.rest.code, place, detail, "session", raw_text(data)))
    return parsed


def _may_hold_chats(file: FoundFile) -> bool:
    return file.name.endswith((*DOCUMENTS, *LINES))


class PlainChats:
    """One file or folder, to be read once. `bytes_read` of `bytes` tells how far the reading is."""

    def __init__(self, root: Path, reading: Reading) -> None:
        """List the files; nothing is opened yet."""
        self.reading = reading
        self._taking = ChatTaking(reading)
        self._files, self._skipped = files_listed(root, _may_hold_chats, "not a file of chats")
        self.bytes = sum(file.size for file in self._files)
        self.bytes_read = 0

    def items(self) -> Generator[LegacyItem, None, None]:
        """Everything, some chats at a time: sessions and their sealed secrets, then what was said in them."""
        for finding in self._skipped:
            self.reading.report(finding)
        waiting: list[Told] = []
        size = 0
        for told in self._told():
            waiting.append(told)
            size += told.session.size
            if len(waiting) >= CHUNK_SESSIONS or size >= CHUNK_BYTES:
                yield from _yielded(waiting)
                waiting, size = [], 0
        yield from _yielded(waiting)

    def _told(self) -> Iterator[Told]:
        for file in self._files:
            timeless = 0
            for chat in self._chats(file):
                told = self._taking.told(chat)
                if told is not None:
                    timeless += told.is_timeless
                    yield told
            if timeless:
                detail = f"{timeless} chats name no time; they stand in 1970"
                self.reading.report(Finding(Level.NOTE, "no_time", Place(file.name), detail, "file"))
            self.bytes_read += file.size

    def _chats(self, file: FoundFile) -> Iterator[Chat]:
        """The chats of a file. Where its values are messages, all of them are one chat."""
        messages: list[Any] = []
        size = others = 0
        for value in values_in(file, self.reading):
            for code in value.repairs:
                self.reading.report(Finding(Level.REPAIRED, code, value.place, EXPLAINED[code], "session"))
            if is_message(value.value):
                size += value.size
                if size <= self.reading.limits.document_bytes:
                    messages.append(value.value)
            elif (chat := self._chat(file, value)) is not None:
                others = 0
                yield chat
            elif (others := others + 1) >= OTHERS_IN_A_ROW:
                detail = f"{others} entries in a row are no chats; the rest of the file is not read"
                self.reading.report(Finding(Level.REJECTED, "no_chats", value.place, detail, "file"))
                break
        if size > self.reading.limits.document_bytes:
            detail = f"a single chat of more than {self.reading.limits.document_bytes} bytes"
            self.reading.report(Finding(Level.REJECTED, "too_long", Place(file.name), detail, "session"))
        elif messages:
            yield Chat(messages, {}, Place(file.name), file.name, size)

    def _chat(self, file: FoundFile, value: Value) -> Chat | None:
        found = chat_in(value.value)
        if found is not None:
            origin = f"{file.name}#{value.position}" if value.position else file.name
            return Chat(*found, value.place, origin, value.size, value.repairs)
        if value.position:
            detail = "no chat: neither a list of messages nor an object with one"
            self.reading.report(Finding(Level.REJECTED, "not_a_chat", value.place, detail, "session"))
        else:
            self.reading.report(Finding(Level.SKIPPED, "not_a_chat", value.place, "not a file of chats", "file"))
        return None


def _yielded(waiting: list[Told]) -> Iterator[LegacyItem]:
    yield from (told.session for told in waiting)
    yield from (told.config for told in waiting if told.config is not None)
    for told in waiting:
        yield from told.records


def _said_later(finding: Finding) -> None:
    """The reading itself will tell it."""
