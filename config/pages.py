"""The pages of the frame itself: the way in, and what is shown when something is not there or broken."""

from http import HTTPStatus

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.shortcuts import render, resolve_url
from django.utils.translation import get_language_from_request, override
from django.utils.translation import gettext as _

RETRY_AFTER_SECONDS = 5


def landing(request: HttpRequest) -> HttpResponse:
    """Lead people to the admin."""
    return HttpResponseRedirect(resolve_url("admin:index"))


def api_not_found(request: HttpRequest, path: str = "") -> HttpResponse:
    """Answer a path under /api/ that nothing serves, before Django would offer a slash and redirect a POST."""
    return not_found(request)


def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """Answer 404 in the form the caller reads."""
    return _answer(request, HTTPStatus.NOT_FOUND, _("There is nothing at this address."))


def bad_request(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """Answer 400 for what Django itself refuses, such as a host that is not allowed."""
    return _answer(request, HTTPStatus.BAD_REQUEST, _("The request could not be understood."))


def server_error(request: HttpRequest) -> HttpResponse:
    """Answer 500 without a trace of the code."""
    return _answer(request, HTTPStatus.INTERNAL_SERVER_ERROR, _("Something went wrong; the log says what."))


def unavailable(request: HttpRequest) -> HttpResponse:
    """Answer 503 with Retry-After: the database is away for the moment."""
    response = _answer(request, HTTPStatus.SERVICE_UNAVAILABLE, _("The database is not available; please try again."))
    response["Retry-After"] = str(RETRY_AFTER_SECONDS)
    return response


def body_refused(request: HttpRequest, status: HTTPStatus, detail: str) -> HttpResponse:
    """Answer a request whose body is not read, in the words of the API, or to a person in a sentence of their language.

    It is answered before Django looks at the language.
    """
    if status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE and not _is_of_the_api(request):
        with override(get_language_from_request(request)):
            megabytes = settings.MAX_BODY_BYTES / 1024**2
            return _answer(request, status, _("Nothing was taken in: at most %g MB can be sent at once.") % megabytes)
    return _answer(request, status, detail)


def _is_of_the_api(request: HttpRequest) -> bool:
    return request.path.startswith("/api/")


def _answer(request: HttpRequest, status: HTTPStatus, detail: str) -> HttpResponse:
    if _is_of_the_api(request):
        problem = {"type": "about:blank", "title": status.phrase, "status": status.value, "detail": detail}
        return JsonResponse(problem, status=status, content_type="application/problem+json")
    # The page needs neither the database nor a login, so that it can be shown while those are broken.
    return render(None, "error.html", {"status": status, "detail": detail}, status=status)
