"""Request bodies off the wire: decompressed bit by bit, within bounds, and refused where damaged or cut off."""

import hashlib
import zlib
from collections.abc import Callable, Iterable, Iterator
from typing import IO, Any

import zstandard
from django.conf import settings
from rest_framework.exceptions import ParseError, UnsupportedMediaType
from rest_framework.request import Request

from config.shared.errors import TooLarge

KEY_HEADER = "Idempotency-Key"
PIECE_BYTES = 1 << 16
# What an honest text compresses to; only bodies that are large by then are judged.
MAX_RATIO = 500
RATIO_FREE_BYTES = 1 << 20
_GZIP = 31
_GZIP_STEP = 1 << 20
# Zstandard's decompressor has no bound on what it puts out: this much input becomes 16 MB at most.
_ZSTD_SLICE = 512
# The window that RFC 9659 lets a content encoding ask for: memory that one frame may claim.
_ZSTD_WINDOW = 8 << 20


class BodyStream:
    """The body of one request, decompressed, in pieces. `digest` is its SHA-256 when all of it was read.

    Iterating raises TooLarge for more than MAX_BODY_BYTES or an unlikely ratio, ParseError for a damaged or cut off
    body, and UnsupportedMediaType for a content encoding other than gzip and zstd.
    """

    def __init__(self, stream: IO[Any], request: Request) -> None:
        self._stream = stream
        self._stated = int(request.META.get("CONTENT_LENGTH") or 0)
        self._encoding = request.headers.get("Content-Encoding", "identity").strip().lower()
        # Only who asks for one answer to one body pays for knowing the body again.
        self._hash = hashlib.sha256() if KEY_HEADER in request.headers else None
        self._taken = 0

    @property
    def digest(self) -> bytes:
        """The SHA-256 of the pieces so far; of nothing where no Idempotency-Key asks for it."""
        return self._hash.digest() if self._hash else b""

    def __iter__(self) -> Iterator[bytes]:
        """Yield the decompressed pieces."""
        limit, size = settings.MAX_BODY_BYTES, 0
        for piece in _decoder(self._encoding)(self._pieces()):
            size += len(piece)
            if size > limit:
                raise TooLarge(f"The body is over {limit} bytes when decompressed.")
            if size > RATIO_FREE_BYTES and size > self._taken * MAX_RATIO:
                raise TooLarge(f"The body is more than {MAX_RATIO} times as large when decompressed.")
            if self._hash:
                self._hash.update(piece)
            yield piece

    def _pieces(self) -> Iterator[bytes]:
        while piece := self._stream.read(PIECE_BYTES):
            self._taken += len(piece)
            yield piece
        if self._taken < self._stated:
            raise ParseError("The body ends before its Content-Length.")


def _decoder(encoding: str) -> Callable[[Iterable[bytes]], Iterator[bytes]]:
    if encoding in _DECODERS:
        return _DECODERS[encoding]
    raise UnsupportedMediaType(encoding, detail=f"The content encoding {encoding!r} is not known. Use gzip or zstd.")


def _gunzipped(pieces: Iterable[bytes]) -> Iterator[bytes]:
    member = None
    for piece in pieces:
        waiting = piece
        while waiting:
            member = member or zlib.decompressobj(_GZIP)
            try:
                part = member.decompress(waiting, _GZIP_STEP)
                while part:
                    yield part
                    # Output may wait inside although all input was taken.
                    part = member.decompress(member.unconsumed_tail, _GZIP_STEP)
            except zlib.error as error:
                raise ParseError("The body is not valid gzip.") from error
            waiting = member.unused_data
            if member.eof:
                member = None
    if member:
        raise ParseError("The gzip body is cut off.")


def _unzstd(pieces: Iterable[bytes]) -> Iterator[bytes]:
    frame = None
    for piece in pieces:
        for start in range(0, len(piece), _ZSTD_SLICE):
            waiting = piece[start : start + _ZSTD_SLICE]
            while waiting:
                frame = frame or zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW).decompressobj()
                try:
                    part = frame.decompress(waiting)
                except zstandard.ZstdError as error:
                    raise ParseError("The body is not valid zstd.") from error
                if part:
                    yield part
                waiting = frame.unused_data if frame.eof else b""
                if frame.eof:
                    frame = None
    if frame:
        raise ParseError("The zstd body is cut off.")


_DECODERS: dict[str, Callable[[Iterable[bytes]], Iterator[bytes]]] = {
    "": iter,
    "identity": iter,
    "gzip": _gunzipped,
    "x-gzip": _gunzipped,
    "zstd": _unzstd,
}
