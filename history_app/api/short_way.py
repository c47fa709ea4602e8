"""The short way of ordinary writes: what most requests are is answered here, everything else by the views.

A request that is in any way out of the ordinary (an Idempotency-Key, a compressed body, a key that is not good, a fault
in a record, a conflict) goes on to the views, which say what is the matter; nothing was stored for it then. So there is
one place for every rule, and this one only has to know when none of them speaks.
"""

from collections.abc import Callable
from functools import lru_cache
from http import HTTPStatus
from typing import TypeVar

from csp.utils import build_policy
from django.conf import settings
from django.core.exceptions import SuspiciousOperation
from django.db import DataError, IntegrityError, InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.utils import timezone

from config.shared.api.bodies import KEY_HEADER
from config.shared.api.json_bodies import has_long_number
from config.shared.api.problems import PROBLEM_TYPE, RETRY_AFTER_SECONDS, problem
from config.shared.api.renderers import dump_answer
from config.shared.callers import Caller
from config.shared.errors import LedgerError
from config.shared.text import Replaced
from history_app.api.serializers.facts import SessionMessageSerializer
from history_app.api.views.conversations import SessionMessageViewSet
from history_app.api.views.records import RecordsViewSet, shown
from history_app.models import Message
from history_app.services.drafts import Draft
from history_app.services.intake import drafts_take
from history_app.services.recording import drafts_record
from history_app.services.records import message_decode, records_decode
from sessions_app.selectors import caller_of_key
from sessions_app.services.api_keys import api_key_remembered

# Longer bodies are read bit by bit by the views.
LONGEST_BODY = 1 << 20
RECORDS = ("/api/records/", "/api/records")
SESSIONS, MESSAGES = "/api/sessions/", "/messages"
_AWAY = "The database is not available; please try again."


class ShortWay:
    """Answers ordinary POSTs of records, and of one message to its session; passes every other request on."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Answer the request, or pass it on."""
        if request.method == "POST" and (write := _write_for(request)) is not None:
            answer = write(request)
            if answer is not None:
                return answer
        return self.get_response(request)


Write = Callable[[HttpRequest], HttpResponse | None]
Read = TypeVar("Read")


def _write_for(request: HttpRequest) -> Write | None:
    path = request.path_info
    if path in RECORDS:
        return _records
    if path.startswith(SESSIONS) and path.removesuffix("/").endswith(MESSAGES):
        return _message
    return None


def _records(request: HttpRequest) -> HttpResponse | None:
    caller = _caller(request, RecordsViewSet.write_roles)
    if caller is None or caller.project_id is None:
        return None
    now = timezone.now()
    drafts = _read(request.body, lambda body, replaced: records_decode(body, now=now, replaced=replaced))
    if not drafts or len(drafts) > settings.MAX_RECORDS:
        return None
    project_id = caller.project_id
    return _answered(lambda: (HTTPStatus.OK, shown(drafts_take(project_id=project_id, drafts=drafts, now=now))))


def _message(request: HttpRequest) -> HttpResponse | None:
    caller = _caller(request, SessionMessageViewSet.write_roles)
    if caller is None or caller.project_id is None:
        return None
    session_id = request.path_info.removesuffix("/").removesuffix(MESSAGES).removeprefix(SESSIONS)
    now = timezone.now()

    def decode(body: bytes, replaced: Replaced) -> Draft | None:
        return message_decode(body, session_id=session_id, now=now, replaced=replaced)

    draft = _read(request.body, decode)
    if draft is None:
        return None
    project_id = caller.project_id

    def write() -> tuple[HTTPStatus, object]:
        row, created = drafts_record(model=Message, project_id=project_id, drafts=[draft], now=now)
        return HTTPStatus.CREATED if created else HTTPStatus.OK, SessionMessageSerializer().to_representation(row)

    return _answered(write)


def _read(body: bytes, decode: Callable[[bytes, Replaced], Read | None]) -> Read | None:
    """Return what the decoder reads; None where it finds a fault, or something that has to be replaced."""
    replaced = Replaced()
    # A number of so many digits may be one that no database takes.
    if len(body) > settings.MAX_RECORD_BYTES or has_long_number(body):
        return None
    try:
        found = decode(body, replaced)
    except (LedgerError, TypeError):
        return None
    return None if replaced else found


def _caller(request: HttpRequest, roles: frozenset[str]) -> Caller | None:
    """Return who asks, where the request is an ordinary one and its key may write."""
    meta = request.META
    length = meta.get("CONTENT_LENGTH") or ""
    ordinary = (
        not meta.get("QUERY_STRING")
        and meta.get("CONTENT_TYPE", "").partition(";")[0].strip().lower() == "application/json"
        and length.isascii()
        and length.isdigit()
        and 0 < int(length) <= min(LONGEST_BODY, settings.MAX_BODY_BYTES)
        and not {"HTTP_CONTENT_ENCODING", "HTTP_TRANSFER_ENCODING", _KEY_META} & meta.keys()
    )
    scheme, _space, token = meta.get("HTTP_AUTHORIZATION", "").partition(" ")
    if not ordinary or scheme.lower() != "bearer" or not _is_host_known(request):
        return None
    try:
        key = api_key_remembered(token=token.strip(), now=timezone.now())
    except (OperationalError, InterfaceError):
        return None
    if key is None or len(request.body) != int(length):
        return None
    caller = caller_of_key(key)
    return caller if caller.role in roles else None


_KEY_META = f"HTTP_{KEY_HEADER.upper().replace('-', '_')}"


def _is_host_known(request: HttpRequest) -> bool:
    try:
        request.get_host()
    except SuspiciousOperation:
        return False
    return True


def _answered(write: Callable[[], tuple[HTTPStatus, object]]) -> HttpResponse | None:
    """Write and answer; None where the service or the database refused, having stored nothing.

    When the database went away in the middle, nobody knows whether it has stored the records: the views must not store
    them again, under ids that are made anew.
    """
    try:
        status, body = write()
    except (LedgerError, IntegrityError, DataError, OverflowError, UnicodeEncodeError):
        return None
    except (OperationalError, InterfaceError):
        status, body = HTTPStatus.SERVICE_UNAVAILABLE, problem(HTTPStatus.SERVICE_UNAVAILABLE, _AWAY)
    raw = dump_answer(body)
    headers = {**_common_headers(), "Content-Length": str(len(raw))}
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        headers |= {"Content-Type": PROBLEM_TYPE, "Retry-After": str(RETRY_AFTER_SECONDS)}
    return HttpResponse(raw, status=status, headers=headers)


@lru_cache(maxsize=1)
def _common_headers() -> dict[str, str]:
    """Return what the middleware that is passed by would have put on the answer."""
    return {
        "Content-Type": "application/json",
        "X-Frame-Options": settings.X_FRAME_OPTIONS,
        "Content-Security-Policy": build_policy(),
    }
