"""Searching messages and tool calls: over everything the caller may see, and within the lists of each."""

from typing import Any

from django.db.models import QuerySet
from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from config.shared.api.filters import check_parameters
from config.shared.api.pagination import page_size_of, wants_count
from config.shared.api.viewsets import LedgerViewSet
from config.shared.errors import InvalidInput
from history_app.api.parameters import END, START, period_of
from history_app.api.searches import LONGEST_QUERY, check_may_search, next_link, position_of, query_of, types_searched
from history_app.api.serializers.searches import SearchSerializer
from history_app.models import Message
from history_app.services.search_index.position import RECORD_TYPES
from history_app.services.search_index.reading import search
from history_app.services.search_index.showing import hits_shown, scopes_of

_NAMES = ("q", "session_id", "user_id", "record_type", "start", "end", "page_size", "cursor")
_PARAMETERS = [
    OpenApiParameter("q", {"type": "string", "minLength": 1, "maxLength": LONGEST_QUERY}, required=True),
    OpenApiParameter("session_id", OpenApiTypes.STR, description="Only in this session."),
    OpenApiParameter("user_id", OpenApiTypes.STR, description="Only in the sessions of this user."),
    OpenApiParameter("record_type", OpenApiTypes.STR, enum=RECORD_TYPES, many=True, description="May be repeated."),
    START,
    END,
    OpenApiParameter("page_size", OpenApiTypes.INT, description="How many hits a page holds (1 to 1000)."),
    OpenApiParameter("cursor", OpenApiTypes.STR, description="Where the page begins: take it from next."),
]


class SearchViewSet(LedgerViewSet):
    """Search over messages and tool calls."""

    queryset = Message.objects.none()
    serializer_class = SearchSerializer
    filtered_actions = frozenset({"search"})
    filter_backends = ()
    pagination_class = None

    @extend_schema(parameters=_PARAMETERS, responses=SearchSerializer)
    def search(self, request: Request) -> Response:
        """Return the records whose text has `q` as a part, without regard to case, newest first.

        A page may hold fewer than `page_size`, or none, and still have a `next`: one call looks at a bounded number of
        records.
        """
        check_parameters(request, _NAMES, repeatable=("record_type",))
        query, period, size, after = query_of(request), period_of(request), page_size_of(request), position_of(request)
        types = types_searched(request)
        check_may_search(self.caller)
        session_id, user_id = (request.query_params.get(name) for name in ("session_id", "user_id"))
        scopes = scopes_of(self.caller, types, session_id=session_id, user_id=user_id)
        times = {"start": period.start, "end": period.end, "after": after}
        page = search(query=query, scopes=scopes, size=size, narrow=session_id is not None, **times)
        return Response({"next": next_link(request, page.next), "results": hits_shown(page.hits)})


class SearchedListMixin:
    """A list over all sessions that `q` searches. Its pages then go from the newest on, and forwards only."""

    record_type: str

    def list(self: Any, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Return one page of the rows that the filters let through."""
        if "q" not in request.query_params:
            return super().list(request, *args, **kwargs)  # type: ignore[misc,no-any-return]
        rows = self.filter_queryset(self.get_queryset())
        self._check_search(request)
        scopes = {self.record_type: self.filter_queryset(self.queryset.model.objects.visible_to(self.caller))}
        narrow = "session_id" in request.query_params
        asked = {"query": query_of(request), "size": page_size_of(request), "after": position_of(request)}
        page = search(scopes=scopes, narrow=narrow, **asked)
        shown = self.get_serializer(_in_order(rows, [hit.pk for hit in page.hits]), many=True).data
        return Response({"next": next_link(request, page.next), "previous": None, "results": shown})

    def _check_search(self: Any, request: Request) -> None:
        check_may_search(self.caller)
        if request.query_params.get("ordering", self.ordering) != self.ordering:
            raise InvalidInput.at("/ordering", _("With q the newest come first."))
        if wants_count(request):
            raise InvalidInput.at("/count", _("With q the rows are not counted."))


def _in_order(rows: QuerySet[Any], pks: list[int]) -> list[Any]:
    """Return the rows with these keys in this order; one that was removed a moment ago is missing."""
    found = {row.pk: row for row in rows.filter(pk__in=pks).order_by()}
    return [found[pk] for pk in pks if pk in found]
