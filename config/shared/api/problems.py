"""Problem details (RFC 9457): every error of the API in one form, and never a stack trace."""

from collections.abc import Iterable
from http import HTTPStatus
from typing import Any

import structlog
from django.core.exceptions import PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.db import DataError, IntegrityError, InterfaceError, OperationalError
from django.http import Http404, UnreadablePostError
from rest_framework import exceptions
from rest_framework.response import Response
from rest_framework.views import set_rollback

from config.shared import errors as ledger
from config.shared.api.json_bodies import escape_pointer
from config.shared.errors import FieldError

logger = structlog.get_logger(__name__)

PROBLEM_TYPE = "application/problem+json"
RETRY_AFTER_SECONDS = 5
_NOT_FOUND = "There is nothing here, or it is not yours."

STATUS_OF: dict[type[Exception], HTTPStatus] = {
    ledger.InvalidInput: HTTPStatus.BAD_REQUEST,
    ledger.NotFound: HTTPStatus.NOT_FOUND,
    ledger.Forbidden: HTTPStatus.FORBIDDEN,
    ledger.Conflict: HTTPStatus.CONFLICT,
    ledger.StaleVersion: HTTPStatus.PRECONDITION_FAILED,
    ledger.VersionRequired: HTTPStatus.PRECONDITION_REQUIRED,
    ledger.StorageError: HTTPStatus.BAD_REQUEST,
    ledger.TooLarge: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    ledger.Unavailable: HTTPStatus.SERVICE_UNAVAILABLE,
    RequestDataTooBig: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    SuspiciousOperation: HTTPStatus.BAD_REQUEST,
    Http404: HTTPStatus.NOT_FOUND,
    PermissionDenied: HTTPStatus.FORBIDDEN,
    IntegrityError: HTTPStatus.CONFLICT,
    DataError: HTTPStatus.BAD_REQUEST,
    OverflowError: HTTPStatus.BAD_REQUEST,
    UnicodeEncodeError: HTTPStatus.BAD_REQUEST,
    UnreadablePostError: HTTPStatus.BAD_REQUEST,
    OperationalError: HTTPStatus.SERVICE_UNAVAILABLE,
    InterfaceError: HTTPStatus.SERVICE_UNAVAILABLE,
}
# The text of these comes from the database or from Django and is not for the caller.
_OWN_WORDS = {
    IntegrityError: "The request contradicts what is stored.",
    DataError: "The database cannot keep one of the values.",
    OverflowError: "One of the numbers is too large.",
    UnicodeEncodeError: "One of the texts cannot be kept.",
    OperationalError: "The database is not available; please try again.",
    InterfaceError: "The database is not available; please try again.",
    SuspiciousOperation: "The request could not be understood.",
    UnreadablePostError: "The body could not be read to its end.",
    RequestDataTooBig: "The body is over the limit that MAX_BODY_BYTES states.",
    Http404: _NOT_FOUND,
    PermissionDenied: "You are not allowed to do this.",
}


def problem(status: int, detail: str, errors: Iterable[FieldError] = ()) -> dict[str, Any]:
    """Return the body of a problem."""
    body: dict[str, Any] = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": int(status),
        "detail": detail,
    }
    listed = [{"pointer": error.pointer, "detail": error.detail} for error in errors]
    return {**body, "errors": listed} if listed else body


def problem_response(exc: Exception, context: dict[str, Any]) -> Response | None:
    """Return the answer to an exception of a view, or None for a fault of the code (which answers a plain 500)."""
    answer = _api_problem(exc) if isinstance(exc, exceptions.APIException) else _other_problem(exc, context)
    if answer is not None:
        answer.content_type = PROBLEM_TYPE
        set_rollback()
    return answer


def _api_problem(exc: exceptions.APIException) -> Response:
    errors = list(field_errors(exc.detail)) if isinstance(exc, exceptions.ValidationError) else []
    if isinstance(exc, exceptions.ValidationError):
        detail = _summary(errors)
    elif isinstance(exc, exceptions.NotFound):
        detail = _NOT_FOUND
    else:
        detail = str(exc.detail)
    answer = Response(problem(exc.status_code, detail, errors), status=exc.status_code)
    if getattr(exc, "auth_header", None):
        answer["WWW-Authenticate"] = exc.auth_header  # type: ignore[attr-defined]
    if getattr(exc, "wait", None) is not None:
        answer["Retry-After"] = str(int(exc.wait) + 1)  # type: ignore[attr-defined]
    return answer


def _other_problem(exc: Exception, context: dict[str, Any]) -> Response | None:
    kind = next((known for known in STATUS_OF if isinstance(exc, known)), None)
    if kind is None:
        return None
    status = STATUS_OF[kind]
    errors = exc.errors if isinstance(exc, ledger.InvalidInput) else []
    detail = _OWN_WORDS.get(kind) or (_summary(errors) if errors else str(exc)) or _NOT_FOUND
    if kind in _OWN_WORDS and status >= HTTPStatus.CONFLICT:
        logger.warning("api_refused", status=int(status), error=str(exc))
    answer = Response(problem(status, detail, errors), status=status)
    if isinstance(exc, ledger.StaleVersion):
        # 0 where nothing is stored. Whoever lost the race reads it anew without looking up what it is.
        answer.data["current_version"] = exc.current
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        answer["Retry-After"] = str(getattr(exc, "retry_after", RETRY_AFTER_SECONDS))
    return answer


def _summary(errors: list[FieldError]) -> str:
    return errors[0].detail if len(errors) == 1 and not errors[0].pointer else "The input breaks a rule; see errors."


def field_errors(detail: Any, pointer: str = "") -> Iterable[FieldError]:
    """Yield the single errors in a serializer's nested error document, each with the JSON pointer to its place."""
    if isinstance(detail, dict):
        for key, inner in detail.items():
            step = "" if key == "non_field_errors" else f"/{escape_pointer(str(key))}"
            yield from field_errors(inner, pointer + step)
    elif isinstance(detail, list):
        for number, inner in enumerate(detail):
            # A list of texts are several faults of one place; a list of documents are the items of a list.
            yield from field_errors(inner, f"{pointer}/{number}" if isinstance(inner, dict | list) else pointer)
    else:
        yield FieldError(pointer, str(detail))
