"""Middleware of the frame: an honest answer while the database is away, and the content security policy by path."""

import structlog
from csp.middleware import CSPMiddleware, PolicyParts
from django.conf import settings
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, HttpResponseBase

from config.pages import unavailable

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


class ContentSecurityPolicyByPath(CSPMiddleware):
    """The strict policy of the settings, or the one that CSP_BY_PREFIX names for the path."""

    def get_policy_parts(self, request, response, report_only: bool = False) -> PolicyParts:
        """Take the prefix's policy unless the view has set its own."""
        parts = super().get_policy_parts(request, response, report_only)
        if not report_only and parts.config is None:
            policies = settings.CSP_BY_PREFIX.items()
            parts.config = next((policy for prefix, policy in policies if request.path.startswith(prefix)), None)
        return parts
