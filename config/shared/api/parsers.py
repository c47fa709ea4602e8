"""Request bodies: JSON, plain or compressed, bounded before and after decompression."""

from collections.abc import Mapping
from typing import IO, Any

from rest_framework.parsers import BaseParser

from config.shared.api.bodies import BodyStream
from config.shared.api.json_bodies import decode_json
from config.shared.text import Replaced


class OrjsonParser(BaseParser):
    """Parses `application/json`."""

    media_type = "application/json"

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        """Return the JSON value of the body; what was replaced in it is noted on the request for the answer."""
        request = (parser_context or {})["request"]
        pieces = BodyStream(stream, request)
        body = b"".join(pieces)
        request.body_digest = pieces.digest
        request.replaced = Replaced()
        return decode_json(body, request.replaced)


class MergePatchParser(OrjsonParser):
    """Parses `application/merge-patch+json` (RFC 7396), which PATCH takes beside plain JSON."""

    media_type = "application/merge-patch+json"
