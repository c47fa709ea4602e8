"""Middleware of the frame: an honest answer while the database is away, limits of bodies, and the policy by path."""

from http import HTTPStatus

import structlog
from csp.middleware import CSPMiddleware, PolicyParts
from django.conf import settings
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, HttpResponseBase

from config.pages import body_refused, unavailable

logger = structlog.get_logger(__name__)


class DatabaseAway:
    """Answers 503 with Retry-After when a page could not reach the database; the API's own handler does it there."""

    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Pass the request on; what other middleware raises is treated as what a view raises."""
        try:
            return self.get_response(request)
        except (OperationalError, InterfaceError) as error:
            return self._answer(request, error)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        """Turn the failure of the database into an answer, and leave every other exception alone."""
        if isinstance(exception, OperationalError | InterfaceError):
            return self._answer(request, exception)
        return None

    @staticmethod
    def _answer(request: HttpRequest, error: Exception) -> HttpResponse:
        logger.error("database_away", path=request.path, error=str(error))
        return unavailable(request)


class BodyLimits:
    """Answers 413 to a body over MAX_BODY_BYTES, and 411 to a chunked one, whose length nobody knows.

    They are turned away before anything reads them.
    """

    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Pass the request on when its body may be read."""
        length = request.META.get("CONTENT_LENGTH") or "0"
        if "chunked" in request.META.get("HTTP_TRANSFER_ENCODING", "").lower():
            detail = "Send a Content-Length; chunked bodies are not taken."
            return body_refused(request, HTTPStatus.LENGTH_REQUIRED, detail)
        if not (length.isascii() and length.isdigit()):
            return body_refused(request, HTTPStatus.BAD_REQUEST, "The Content-Length is not a number.")
        if len(length) > len(str(settings.MAX_BODY_BYTES)) or int(length) > settings.MAX_BODY_BYTES:
            detail = f"The body is over {settings.MAX_BODY_BYTES} bytes."
            return body_refused(request, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, detail)
        return self.get_response(request)


class ContentSecurityPolicyByPath(CSPMiddleware):
    """The strict policy of the settings, or the one that CSP_BY_PREFIX names for the path."""

    def get_policy_parts(self, request, response, report_only: bool = False) -> PolicyParts:
        """Take the prefix's policy unless the view has set its own."""
        parts = super().get_policy_parts(request, response, report_only)
        if not report_only and parts.config is None:
            policies = settings.CSP_BY_PREFIX.items()
            parts.config = next((policy for prefix, policy in policies if request.path.startswith(prefix)), None)
        return parts
