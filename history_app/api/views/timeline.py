"""The timeline of one session: records of every type in the order of time."""

from typing import Any

from django.core import signing
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.urls import replace_query_param

from config.shared.api.filters import check_parameters
from config.shared.api.pagination import PAGE_PARAMETERS, page_size_of, wants_count
from config.shared.api.serializers import MASK
from config.shared.api.viewsets import LedgerViewSet
from config.shared.callers import Caller
from config.shared.errors import InvalidInput
from history_app.api.parameters import END, SESSION, START, TYPES, period_of, types_of
from history_app.api.serializers.timeline import TimelineSerializer
from history_app.models import Message
from history_app.selectors.record_forms import CONTENTS, STEP_CONTENTS, Record
from history_app.selectors.timeline import Key, Place, records_at, timeline_count, timeline_places
from sessions_app.selectors import session_find

_SALT = "cursor:timeline"
_PAGES = [
    OpenApiParameter("page_size", OpenApiTypes.INT, description="How many records a page holds (1 to 1000)."),
    OpenApiParameter("cursor", OpenApiTypes.STR, description="Where the page begins: take it from next or previous."),
    OpenApiParameter("count", OpenApiTypes.BOOL, description="Whether to count all records, too."),
]


class SessionTimelineViewSet(LedgerViewSet):
    """All that happened in one session, as records."""

    queryset = Message.objects.none()
    serializer_class = TimelineSerializer
    # It checks its parameters itself: one of them may be repeated.
    filtered_actions = frozenset({"timeline"})
    filter_backends = ()
    pagination_class = None

    @extend_schema(parameters=[SESSION, START, END, TYPES, *_PAGES], responses=TimelineSerializer)
    def timeline(self, request: Request, session_id: str) -> Response:
        """Return one page of the records, oldest first; at one moment by type, then in the order of recording."""
        check_parameters(request, ("start", "end", "record_type", *PAGE_PARAMETERS), repeatable=("record_type",))
        kinds, period = types_of(request), period_of(request)
        size, counting = page_size_of(request), wants_count(request)
        key, backwards = _position(request)
        session = session_find(caller=self.caller, session_id=session_id)
        found = timeline_places(session, kinds, period, limit=size + 1, beyond=key, backwards=backwards)
        places = found[:size][:: -1 if backwards else 1]
        has_more = len(found) > size
        counted = {"count": timeline_count(session, kinds, period)} if counting else {}
        has_later, has_earlier = (backwards, has_more) if backwards else (has_more, key is not None)
        return Response(
            {
                **counted,
                "next": _link(request, places[-1:], backwards=False) if has_later else None,
                "previous": _link(request, places[:1], backwards=True) if has_earlier else None,
                "results": shown(records_at(places, session.session_id, whole=False), self.caller),
            }
        )


def shown(records: list[Record], caller: Caller) -> list[Record]:
    """Return the records as the caller may see them: contents masked where the role sees none."""
    return records if caller.can_see_contents else [masked(record) for record in records]


def masked(record: Record) -> Record:
    """Return a record without its contents."""
    shown = _hidden(record, CONTENTS.get(record["record_type"], ()))
    if "subtasks" in shown:
        shown["subtasks"] = [_hidden(step, STEP_CONTENTS) for step in shown["subtasks"]]
    return shown


def _hidden(values: Record, names: tuple[str, ...]) -> Record:
    return {name: MASK if name in names and value is not None else value for name, value in values.items()}


def _position(request: Any) -> tuple[Key | None, bool]:
    cursor = request.query_params.get("cursor")
    if cursor is None:
        return None, False
    try:
        backwards, numbers = signing.Signer(salt=_SALT).unsign_object(cursor)
    except (signing.BadSignature, ValueError) as error:
        raise InvalidInput.at("/cursor", "This is not a cursor of this list.") from error
    return Key.unpacked(numbers), backwards


def _link(request: Any, places: list[Place], *, backwards: bool) -> str | None:
    if not places:
        return None
    cursor = signing.Signer(salt=_SALT).sign_object([backwards, places[0].key.packed()])
    path, mark, query = request.build_absolute_uri().partition("?")
    return replace_query_param(f"{path.rstrip('/')}/{mark}{query}", "cursor", cursor)
