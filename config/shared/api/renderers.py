"""Answers: JSON in UTF-8, times in UTC with Z, exact decimals as text."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import orjson
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.renderers import BaseRenderer

_OPTIONS = orjson.OPT_UTC_Z | orjson.OPT_NAIVE_UTC | orjson.OPT_NON_STR_KEYS


class OrjsonRenderer(BaseRenderer):
    """Renders `application/json`, and problems as `application/problem+json`."""

    media_type = "application/json"
    format = "json"
    charset = None

    def render(
        self,
        data: Any,
        accepted_media_type: str | None = None,
        renderer_context: Mapping[str, Any] | None = None,
    ) -> bytes:
        """Return the bytes of the answer; nothing for an answer without content."""
        return b"" if data is None else dump_answer(data)


def dump_answer(data: Any) -> bytes:
    """Return the JSON bytes of a value; imported integers beyond 64 bits come out exactly, too."""
    try:
        return orjson.dumps(data, default=str, option=_OPTIONS)
    except orjson.JSONEncodeError:
        return json.dumps(data, default=_plain, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def _plain(value: Any) -> Any:
    if isinstance(value, orjson.Fragment):
        return json.loads(orjson.dumps(value))
    return value.isoformat().replace("+00:00", "Z") if isinstance(value, datetime) else str(value)


class JsonOnly(BaseContentNegotiation):
    """Always chooses the first renderer: the API speaks JSON, whatever the Accept header of a tool says."""

    def select_parser(self, request: Any, parsers: Any) -> Any:
        """Return the parser for the content type of the request, or None (which is answered with 415)."""
        content_type = request.content_type.split(";")[0].strip().lower()
        return next((parser for parser in parsers if parser.media_type == content_type), None)

    def select_renderer(self, request: Any, renderers: Any, format_suffix: str | None = None) -> Any:
        """Return the first renderer."""
        return renderers[0], renderers[0].media_type
