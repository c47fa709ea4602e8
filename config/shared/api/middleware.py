"""Bodies too large to be read, or of no stated length, are turned away before anything reads them."""

from collections.abc import Callable
from http import HTTPStatus

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from config.shared.api.problems import PROBLEM_TYPE, problem
from config.shared.api.renderers import dump_answer


class BodyLimits:
    """Answers 413 to a body over MAX_BODY_BYTES, and 411 to a chunked one, whose length nobody knows."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Pass the request on when its body may be read."""
        length = request.META.get("CONTENT_LENGTH") or "0"
        if "chunked" in request.META.get("HTTP_TRANSFER_ENCODING", "").lower():
            return _refusal(HTTPStatus.LENGTH_REQUIRED, "Send a Content-Length; chunked bodies are not taken.")
        if not (length.isascii() and length.isdigit()):
            return _refusal(HTTPStatus.BAD_REQUEST, "The Content-Length is not a number.")
        if len(length) > len(str(settings.MAX_BODY_BYTES)) or int(length) > settings.MAX_BODY_BYTES:
            detail = f"The body is over {settings.MAX_BODY_BYTES} bytes."
            return _refusal(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, detail)
        return self.get_response(request)


def _refusal(status: HTTPStatus, detail: str) -> HttpResponse:
    return HttpResponse(dump_answer(problem(status, detail)), status=status, content_type=PROBLEM_TYPE)
