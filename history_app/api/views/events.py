"""The live tail of one session: its records as server-sent events, from now on or from any position."""

from typing import Any

from django.http import HttpResponse, StreamingHttpResponse
from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.request import Request

from config.shared.api.filters import check_parameters
from config.shared.api.viewsets import LedgerViewSet
from config.shared.errors import InvalidInput
from history_app.api.live.hub import hub
from history_app.api.live.peer import Peer
from history_app.api.live.rights import rights_check
from history_app.api.live.slots import slots
from history_app.api.live.stream import events
from history_app.api.live.watch import Watch, Wish
from history_app.api.parameters import SESSION, TYPES, types_of
from history_app.models import Message
from history_app.selectors.tail import position_now
from history_app.selectors.tail_position import Position
from sessions_app.models import Session
from sessions_app.selectors import session_find

CONTENT_TYPE = "text/event-stream"
POSITION_HEADER = "Last-Event-ID"
BEGINNINGS = ("now", "start")
FROM = OpenApiParameter(
    "from",
    OpenApiTypes.STR,
    enum=BEGINNINGS,
    description="Where the tail begins without a Last-Event-ID: now (the default), or at the session's start.",
)
LAST_ID = OpenApiParameter(
    POSITION_HEADER,
    OpenApiTypes.STR,
    OpenApiParameter.HEADER,
    description="The id of the last event that was received: the tail goes on after it, and `from` does not count.",
)
STREAM = OpenApiResponse(
    OpenApiTypes.STR,
    description="Events without end. `event` is the record type, `data` the record as the timeline shows it, `id` what "
    "Last-Event-ID takes. `event: end` says that the session was deleted or the access has ended.",
)


class SessionEventsViewSet(LedgerViewSet):
    """What happens in one session, as it happens."""

    queryset = Message.objects.none()
    # It checks its parameters itself: one of them may be repeated.
    filtered_actions = frozenset({"events"})
    filter_backends = ()
    pagination_class = None

    @extend_schema(parameters=[SESSION, FROM, TYPES, LAST_ID], responses={(200, CONTENT_TYPE): STREAM})
    def events(self, request: Request, session_id: str) -> HttpResponse | StreamingHttpResponse:
        """Return the stream. 503 with Retry-After when the server has as many of them open as it takes."""
        check_parameters(request, ("from", "record_type"), repeatable=("record_type",))
        kinds = types_of(request)
        beginning = _beginning(request)
        session = session_find(caller=self.caller, session_id=session_id)
        position = _position(request, session, beginning)
        if request.method == "HEAD":
            return _with_headers(HttpResponse(content_type=CONTENT_TYPE))
        watch = Watch(Wish(session, kinds, rights_check(request), Peer(request.META.get("gunicorn.socket"))))
        slot = slots.take(hub.end_idle)
        answer = StreamingHttpResponse(events(watch, position, self.caller, hub), content_type=CONTENT_TYPE)
        answer._resource_closers.append(slot.free)
        return _with_headers(answer)


def _with_headers(answer: Any) -> Any:
    answer["Cache-Control"] = "no-store"
    # Nginx would keep events back until its buffer is full.
    answer["X-Accel-Buffering"] = "no"
    return answer


def _beginning(request: Request) -> str:
    stated: str = request.query_params.get("from", "now")
    if stated not in BEGINNINGS:
        raise InvalidInput.at("/from", _("One of %s is required.") % ", ".join(BEGINNINGS))
    return stated


def _position(request: Request, session: Session, beginning: str) -> Position:
    stated = request.headers.get(POSITION_HEADER, "")
    if not stated:
        return position_now(session) if beginning == "now" else Position.start(session.pk)
    try:
        position = Position.from_text(stated)
    except ValueError as error:
        raise InvalidInput.at("", _("Last-Event-ID is not the id of an event.")) from error
    if position.session != session.pk:
        raise InvalidInput.at("", _("Last-Event-ID is the id of another session's event."))
    return position
