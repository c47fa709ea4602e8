"""Request bodies: JSON, plain or compressed with gzip, bounded before and after decompression."""

import zlib
from collections.abc import Mapping
from typing import IO, Any

from django.conf import settings
from rest_framework.exceptions import ParseError, UnsupportedMediaType
from rest_framework.parsers import BaseParser

from config.shared.api.json_bodies import decode_json
from config.shared.errors import TooLarge
from config.shared.text import Replaced

_GZIP = 31
_STEP = 1 << 20


class OrjsonParser(BaseParser):
    """Parses `application/json`."""

    media_type = "application/json"

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        """Return the JSON value of the body; what was replaced in it is noted on the request for the answer."""
        request = (parser_context or {})["request"]
        body = _decoded(stream.read(), request.headers.get("Content-Encoding", "identity").strip().lower())
        request.replaced = Replaced()
        return decode_json(body, request.replaced)


class MergePatchParser(OrjsonParser):
    """Parses `application/merge-patch+json` (RFC 7396), which PATCH takes beside plain JSON."""

    media_type = "application/merge-patch+json"


def _decoded(body: bytes, encoding: str) -> bytes:
    if encoding in ("", "identity"):
        return body
    if encoding != "gzip":
        raise UnsupportedMediaType(encoding, detail=f"The content encoding {encoding!r} is not known. Use gzip.")
    return gunzip(body, settings.MAX_BODY_BYTES)


def gunzip(body: bytes, limit: int) -> bytes:
    """Return the content of a gzip body (of one or more members).

    Raises TooLarge as soon as more than `limit` bytes come out, ParseError when the body is damaged or cut off.
    """
    parts: list[bytes] = []
    size = 0
    while body:
        member = zlib.decompressobj(_GZIP)
        while not member.eof:
            try:
                part = member.decompress(body, _STEP)
            except zlib.error as error:
                raise ParseError("The body is not valid gzip.") from error
            body = member.unconsumed_tail
            size += len(part)
            if size > limit:
                raise TooLarge(f"The body is over {limit} bytes when decompressed.")
            parts.append(part)
            if not part and not body and not member.eof:
                raise ParseError("The gzip body is cut off.")
        body = member.unused_data
    return b"".join(parts)
