"""Cuts a JSON list or object of any length into its elements, of which one at a time is in memory."""

import re
from collections.abc import Iterator
from typing import Protocol

from backups_app.legacy.files import CHUNK, Line, Unreadable

_SIGN = re.compile(rb'[\[\]{},"]')
_TEXT = re.compile(rb'(?:[^"\\]++|\\.)*+', re.DOTALL)
# All that stands inside of an element before a bracket that matters: texts, and whatever has no brackets inside.
_FLAT = rb'(?:[^\[\]{}"]++|"(?:[^"\\]++|\\.)*+")'
_INSIDE = re.compile(rb"(?:%b|[\[{]%b*+[\]}])*+" % (_FLAT, _FLAT), re.DOTALL)
_KEY = re.compile(rb'\s*+("(?:[^"\\]++|\\.)*+")\s*+:\s*+', re.DOTALL)
_ENDS = {b"[": b"]", b"{": b"}"}


class Readable(Protocol):
    """What gives so many bytes, or fewer, and none at its end."""

    def read(self, size: int, /) -> bytes:
        """Give the next bytes."""


class Elements:
    """The elements of the list or object that an open file begins with, as they stand, numbered from 0.

    Of one of more than `most_bytes` only the beginning comes, marked `too_long`. Nothing is judged here but where an
    element ends. Raises `Unreadable` after the last whole one when the list does not end, or with another bracket.
    """

    def __init__(self, file: Readable, most_bytes: int) -> None:
        """`file` stands before the `[` or `{`."""
        self._file = file
        self._most = most_bytes
        self._depth = 0
        self._in_text = False
        self._scanned = 0
        self._end = b""
        self._rest = b""

    def __iter__(self) -> Iterator[Line]:
        """The elements up to the end of the list; what follows it is left alone."""
        number, held, rest = 0, _Held(self._most), b""
        while piece := self._file.read(CHUNK):
            chunk, taken = rest + piece, 0
            for at, sign in self._cuts(chunk):
                held.add(chunk[taken:at])
                taken = at + 1
                if sign in _ENDS:
                    self._open(sign, held)
                elif sign == b"," or not held.is_blank():
                    yield held.line(number)
                    number += 1
                if sign in _ENDS.values():
                    self._close(sign, chunk[taken:])
                    return
                held = _Held(self._most)
            held.add(chunk[taken : self._scanned])
            # A backslash at the very end belongs to what comes next.
            rest = chunk[self._scanned :]
        raise Unreadable(f"the file ends inside of entry {number}")

    @property
    def is_object(self) -> bool:
        """Whether they are members of an object; known with the first of them."""
        return self._end == b"}"

    def are_followed(self) -> bool:
        """Whether anything but blanks stands behind the end that was come to."""
        rest = self._rest
        while not rest.strip():
            rest = self._file.read(CHUNK)
            if not rest:
                return False
        return True

    def _open(self, sign: bytes, before: "_Held") -> None:
        if not before.is_blank():
            raise Unreadable("something stands before the list")
        self._end = _ENDS[sign]

    def _close(self, sign: bytes, rest: bytes) -> None:
        if sign != self._end:
            raise Unreadable(f"what begins with another bracket ends with {sign.decode()}")
        self._rest = rest

    def _cuts(self, chunk: bytes) -> Iterator[tuple[int, bytes]]:
        """Where the list begins and ends, and the commas between its elements. Says in `_scanned` how far it came."""
        at = 0
        while at < len(chunk):
            if self._depth > 1 and not self._in_text and (inside := _INSIDE.match(chunk, at)):
                at = inside.end()
            found = (_TEXT.match if self._in_text else _SIGN.search)(chunk, at)
            at = found.end() if found else len(chunk)
            if self._in_text:
                if chunk[at : at + 1] != b'"':
                    break
                self._in_text = False
                at += 1
            elif found and self._is_cut(found[0]):
                yield found.start(), found[0]
        self._scanned = at

    def _is_cut(self, sign: bytes) -> bool:
        """Whether this sign outside of a text stands between two elements, or around all of them."""
        self._in_text = sign == b'"'
        if sign in (b"[", b"{"):
            self._depth += 1
            return self._depth == 1
        if sign in (b"]", b"}"):
            self._depth -= 1
            return self._depth == 0
        return sign == b"," and self._depth == 1


def key_of(member: bytes) -> tuple[bytes, int] | None:
    """The key of an object's member, a JSON text as it stands, and where its value begins; None where it has none."""
    key = _KEY.match(member)
    return (key[1], key.end()) if key else None


class _Held:
    """What was read of an element so far, up to a bound."""

    def __init__(self, most_bytes: int) -> None:
        self._data = bytearray()
        self._most = most_bytes
        self._length = 0

    def add(self, piece: bytes) -> None:
        self._length += len(piece)
        self._data += piece[: self._most - len(self._data)]

    def line(self, number: int) -> Line:
        """What was read, which is not held any longer."""
        data, self._data = bytes(self._data), bytearray()
        return Line(number, data, self._length > self._most)

    def is_blank(self) -> bool:
        return not self._data.strip()
