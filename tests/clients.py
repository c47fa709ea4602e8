"""How the cast speaks to the API: a thin wrapper of Django's test client that knows JSON and the key."""

import json
from typing import Any

from django.test import Client


class ApiClient:
    """An API caller. Answers are Django's responses, with `.json()` as usual."""

    def __init__(self, token: str | None = None):
        self.token = token
        self._client = Client(raise_request_exception=True)

    def get(self, path: str, params: dict[str, Any] | None = None, **options: Any):
        """Read; `params` become the query string."""
        return self._send("GET", path, params=params, **options)

    def head(self, path: str, **options: Any):
        """Read the headers only."""
        return self._send("HEAD", path, **options)

    def post(self, path: str, body: Any = None, **options: Any):
        """Create or act; see `_send` for the options."""
        return self._send("POST", path, body, **options)

    def put(self, path: str, body: Any = None, **options: Any):
        """Create or replace."""
        return self._send("PUT", path, body, **options)

    def patch(self, path: str, body: Any = None, **options: Any):
        """Change a part."""
        return self._send("PATCH", path, body, **options)

    def delete(self, path: str, body: Any = None, **options: Any):
        """Remove."""
        return self._send("DELETE", path, body, **options)

    def _send(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        params: dict[str, Any] | None = None,
        headers: dict[str, str] | None = None,
        content_type: str = "application/json",
    ):
        """Send the request. `body` is sent as it is when it is bytes or text, as JSON otherwise; None sends nothing."""
        raw = body if isinstance(body, bytes | str) else b"" if body is None else json.dumps(body)
        authorization = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        return self._client.generic(
            method,
            path,
            raw,
            content_type=content_type,
            headers={**authorization, **(headers or {})},
            query_params=params,
        )
