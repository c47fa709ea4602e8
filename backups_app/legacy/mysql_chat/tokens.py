"""Splits a dump of MySQL into tokens, a piece of the file at a time."""

import re
from collections.abc import Iterator
from typing import IO

from msgspec import Struct

from backups_app.legacy.files import CHUNK, Unreadable

# A token that reaches the end of what was read so far may go on: more is read, and it is looked at again.
_TOKEN = re.compile(
    rb"(?P<blank>\s++)"
    rb"|(?P<comment>--(?=[\s\x00-\x1f]|\Z)[^\n]*+|\#[^\n]*+)"
    rb"|(?P<conditional>/\*M?!.*?\*/)"
    rb"|(?P<remark>/\*.*?\*/)"
    rb"|(?P<text>'(?:[^'\\]++|\\.|'')*+'|\"(?:[^\"\\]++|\\.|\"\")*+\")"
    rb"|(?P<name>`(?:[^`]++|``)*+`)"
    rb"|(?P<hex>0x[0-9A-Fa-f]++)"
    rb"|(?P<number>[+-]?\d++(?:\.\d++)?(?:[eE][+-]?\d++)?)"
    rb"|(?P<word>[A-Za-z_@$\x80-\xff][\w@$\x80-\xff]*+)"
    rb"|(?P<open>'|\"|`|/\*)"
    rb"|(?P<sign>.)",
    re.DOTALL,
)
_ESCAPE = re.compile(rb"\\(.)|''|\"\"", re.DOTALL)
_ESCAPED = {b"0": b"\x00", b"b": b"\b", b"n": b"\n", b"r": b"\r", b"t": b"\t", b"Z": b"\x1a"}
# Outside of patterns these two keep their backslash.
_KEPT = frozenset({b"%", b"_"})
_PASSED_OVER = frozenset({"blank", "remark"})
_XML = re.compile(rb"\s*<(\?xml|mysqldump)\b")


class Token(Struct, frozen=True, gc=False):
    """One token: of what kind, its bytes, and the line on which it begins."""

    kind: str
    data: bytes
    line: int

    @property
    def word(self) -> str:
        """The word in capitals; empty for other tokens."""
        return self.data.decode("ascii", "replace").upper() if self.kind == "word" else ""


class CutDump(Exception):
    """The file ends inside of something; the text says of what."""


class Tokens:
    """The tokens of one open file. Blanks and remarks are passed over; one token at a time is in memory."""

    def __init__(self, file: IO[bytes], most_bytes: int) -> None:
        """`most_bytes` bounds one token. Raises `Unreadable` where the dump is not one of statements."""
        self._file = file
        self._most = most_bytes
        self._buffer = file.read(CHUNK).removeprefix(b"\xef\xbb\xbf")
        self._at = 0
        self._ended = False
        self.line = 1
        self.bytes_read = len(self._buffer)
        if _XML.match(self._buffer):
            raise Unreadable("a dump in XML, which is not read; make it again without --xml")

    def __iter__(self) -> Iterator[Token]:
        """The tokens up to the end. Raises `CutDump` where the end comes too early."""
        return self

    def __next__(self) -> Token:
        """The next token; at the end StopIteration."""
        while True:
            found = self._match()
            if found is None:
                raise StopIteration
            kind, data = str(found.lastgroup), found.group()
            if kind == "open":
                raise CutDump(f"inside of something that begins with {data.decode()} on line {self.line}")
            token = Token(kind, data, self.line)
            self._at = found.end()
            self.line += data.count(b"\n")
            if kind not in _PASSED_OVER:
                return token

    def rest_of_line(self) -> bytes:
        """What stands up to the end of the line: for commands of the client, which end with it."""
        return self._until(b"\n")

    def until(self, delimiter: bytes) -> bytes:
        """What stands up to another delimiter than `;`, or to the end. Only its beginning is kept."""
        return self._until(delimiter)

    def _until(self, end: bytes) -> bytes:
        begun = b""
        while (found := self._buffer.find(end, self._at)) < 0:
            keep = max(len(self._buffer) - len(end) + 1, self._at)
            begun += self._buffer[self._at : keep][: CHUNK - len(begun)]
            self.line += self._buffer.count(b"\n", self._at, keep)
            self._at = keep
            if not self._more():
                found = len(self._buffer)
                break
        begun += self._buffer[self._at : found][: CHUNK - len(begun)]
        self.line += self._buffer.count(b"\n", self._at, found + len(end))
        self._at = min(found + len(end), len(self._buffer))
        return begun

    def _match(self) -> re.Match[bytes] | None:
        """The token at the place of reading, surely whole; None at the end of the file."""
        while True:
            found = _TOKEN.match(self._buffer, self._at)
            whole = found is not None and found.end() < len(self._buffer) and found.lastgroup != "open"
            if whole or not self._more():
                return found

    def _more(self) -> bool:
        """Read on: as much again as is held, so that a long token is looked at few times. False at the end."""
        if self._ended:
            return False
        held = self._buffer[self._at :]
        if len(held) > self._most:
            raise Unreadable(f"a value on line {self.line} is longer than {self._most} bytes")
        piece = self._file.read(max(CHUNK, len(held)))
        self._ended = not piece
        self._buffer, self._at = held + piece, 0
        self.bytes_read += len(piece)
        return not self._ended


def unquoted(token: Token) -> bytes:
    """What a quoted text or a hexadecimal number stands for."""
    if token.kind == "hex":
        digits = token.data[2:].decode()
        return bytes.fromhex(digits if len(digits) % 2 == 0 else f"0{digits}")
    return _ESCAPE.sub(_plain, token.data[1:-1])


def _plain(found: re.Match[bytes]) -> bytes:
    sign = found[1]
    if sign is None:
        return found[0][:1]
    return found[0] if sign in _KEPT else _ESCAPED.get(sign, sign)
