"""The Idempotency-Key of writes: a handler that does its work once, whatever the network does to its answer."""

import hashlib
import re
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.http import HttpResponse
from django.utils import timezone
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _
from rest_framework.request import Request

from config.shared.answers import Answer
from config.shared.api.bodies import KEY_HEADER
from config.shared.errors import InvalidInput

REPLAYED_HEADER = "Idempotency-Replayed"
LONGEST_KEY = 255
_VISIBLE = re.compile("[!-~]+")
# Written anew for every answer.
_NOT_KEPT = frozenset({"vary", "allow", "content-length"})

Handler = Callable[..., Any]


def answering_once(view: Any, handler: Handler) -> Handler:
    """Return the handler of a request with an Idempotency-Key, as one that acts once under the key.

    It is for requests that may be made: login, roles and parameters are checked before.
    """

    def once(request: Request, *args: Any, **kwargs: Any) -> HttpResponse:
        key = _key_of(request)
        answer: Answer = import_string(settings.AGENTLEDGER_ANSWER_ONCE_FUNCTION)(
            project_id=view.project_id,
            key=key,
            fingerprint=_fingerprint(request),
            now=timezone.now(),
            act=lambda: _act(view, handler, request, args, kwargs),
        )
        response = HttpResponse(answer.body, status=answer.status, headers=answer.headers)
        if answer.is_kept:
            response[REPLAYED_HEADER] = "true"
        return response

    return once


def _key_of(request: Request) -> str:
    key = str(request.headers[KEY_HEADER])
    if len(key) > LONGEST_KEY or not _VISIBLE.fullmatch(key):
        detail = _("%(name)s is 1 to %(limit)d visible ASCII characters.")
        raise InvalidInput.at("", detail % {"name": KEY_HEADER, "limit": LONGEST_KEY})
    return key


def _fingerprint(request: Request) -> str:
    """Return what tells this request from others: method, address and body, the body as it was before compression."""
    request.data  # noqa: B018 (reading it is what computes the digest)
    body = getattr(request, "body_digest", b"")
    whole = f"{request.method} {request.get_full_path()}\n".encode() + body
    return hashlib.sha256(whole).hexdigest()


def _act(view: Any, handler: Handler, request: Request, args: Any, kwargs: Any) -> Answer:
    """Handle the request and return the finished answer, with all that the view adds to it."""
    response = view.finalize_response(request, handler(request, *args, **kwargs), *args, **kwargs)
    if hasattr(response, "render"):
        response.render()
    headers = {name: value for name, value in response.items() if name.lower() not in _NOT_KEPT}
    return Answer(response.status_code, headers, response.content)
