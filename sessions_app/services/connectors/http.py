"""One JSON call to another system: bounded in time and size, without redirects."""

import http.client
import json
import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from sessions_app.services.connectors.base import ConnectorError

LARGEST_ANSWER = 1024 * 1024
_PIECE = 64 * 1024


@dataclass(frozen=True, slots=True)
class JsonAnswer:
    """The status of an answer and its JSON."""

    status: int
    body: Any


def json_call(*, method: str, url: str, headers: dict[str, str], body: Any, timeout: float) -> JsonAnswer:
    """Send a JSON body and return the JSON answer, whatever its status.

    `timeout` is seconds, for the whole of it. Raises ConnectorError when there is no answer in time, when it is no
    JSON, too large, or a redirect, which is never followed: it would carry the key elsewhere.
    """
    deadline = time.monotonic() + timeout
    parts = urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    try:
        connection = kind(parts.hostname or "", parts.port, timeout=timeout)
        try:
            sent = {"Content-Type": "application/json", "Accept": "application/json", **headers}
            connection.request(method, parts.path, json.dumps(body), sent)
            response = connection.getresponse()
            raw = _read(response, deadline)
        finally:
            connection.close()
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise ConnectorError(f"No answer: {_reason(error)}.") from error
    if response.status // 100 == 3:  # noqa: PLR2004 - the class of redirects
        raise ConnectorError(f"HTTP {response.status}: a redirect, which is not followed.")
    try:
        return JsonAnswer(response.status, json.loads(raw))
    except (ValueError, RecursionError) as error:
        raise ConnectorError(f"HTTP {response.status}: the answer is no JSON.") from error


def _read(response: http.client.HTTPResponse, deadline: float) -> bytes:
    pieces, size = [], 0
    while piece := response.read1(_PIECE):
        size += len(piece)
        if size > LARGEST_ANSWER:
            raise ConnectorError("The answer is too large.")
        if time.monotonic() > deadline:
            raise TimeoutError
        pieces.append(piece)
    if response.length:
        raise http.client.IncompleteRead(b"", response.length)
    return b"".join(pieces)


def _reason(error: Exception) -> str:
    return "time-out" if isinstance(error, TimeoutError) else type(error).__name__
