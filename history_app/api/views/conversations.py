"""The messages of one session, by their numbers."""

from typing import Any

from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_view
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.urls import remove_query_param, replace_query_param

from config.shared.api.pagination import LARGEST_PAGE_SIZE
from config.shared.api.viewsets import LedgerViewSet, ListMixin
from config.shared.errors import InvalidInput
from history_app.api.filters import SessionMessageFilterSet
from history_app.api.searched_pages import SessionMessagePagination, messages_holding, needle_of
from history_app.api.serializers.facts import SessionMessageSerializer, shown_only
from history_app.models import Message
from history_app.services.recording import message_append, messages_append
from sessions_app.selectors import session_find

_SESSION = OpenApiParameter("session_id", OpenApiTypes.STR, OpenApiParameter.PATH)


@extend_schema_view(list=extend_schema(parameters=[_SESSION]))
class SessionMessageViewSet(ListMixin, LedgerViewSet):
    """The messages of one session in their order."""

    queryset = Message.objects.all()
    serializer_class = SessionMessageSerializer
    filterset_class = SessionMessageFilterSet
    pagination_class = SessionMessagePagination
    ordering = "sequence"
    orderings = ("sequence",)

    def get_queryset(self) -> QuerySet[Message]:
        """Return the messages of the session that the path names. Raises NotFound where it is not there."""
        if getattr(self, "swagger_fake_view", False):
            return Message.objects.none()
        session = session_find(caller=self.caller, session_id=self.kwargs["session_id"])
        # Through the session: each row then knows it, and none reads it, with its documents, once more.
        rows: QuerySet[Message] = session.message_set.all()
        return rows

    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Return one page of the messages, or with `last` the last ones."""
        if "last" not in request.query_params:
            return super().list(request, *args, **kwargs)
        rows = self.filter_queryset(self.get_queryset())
        last = int(request.query_params["last"])
        if not 1 <= last <= LARGEST_PAGE_SIZE:
            raise InvalidInput.at("/last", _("last is a number from 1 to %d.") % LARGEST_PAGE_SIZE)
        needle = needle_of(request, self.caller)
        newest = rows.order_by("-sequence", "-id")
        found = (
            list(newest[: last + 1])
            if needle is None
            else messages_holding(newest, needle, ("-sequence", "-id"), None, last + 1)
        )
        page = found[:last][::-1]
        earlier = self._before(page[0].sequence) if len(found) > last else None
        return Response({"next": None, "previous": earlier, "results": self.get_serializer(page, many=True).data})

    def _before(self, sequence: int) -> str:
        address = remove_query_param(self.request.build_absolute_uri(), "cursor")
        path, mark, query = address.partition("?")
        return replace_query_param(f"{path.rstrip('/')}/{mark}{query}", "before", sequence)

    @extend_schema(parameters=[_SESSION], request=SessionMessageSerializer, responses={201: SessionMessageSerializer})
    def create(self, request: Request, session_id: str) -> Response:
        """Append one message (an object) or several (a list, all or none); the answer has the same form."""
        session = session_find(caller=self.caller, session_id=session_id)
        common = {"project_id": session.project_id, "now": timezone.now()}
        if isinstance(request.data, list):
            messages = [self._stated(item, session_id, f"/{place}") for place, item in enumerate(request.data)]
            rows = messages_append(session_id=session_id, messages=messages, **common)
            return Response(self.get_serializer(rows, many=True).data, status=status.HTTP_201_CREATED)
        fields = self._stated(request.data, session_id, "")
        row, created = message_append(fields={**fields, "session_id": session_id}, **common)
        return self.answer(row, status.HTTP_201_CREATED if created else status.HTTP_200_OK)

    @staticmethod
    def _stated(item: Any, session_id: str, pointer: str) -> dict[str, Any]:
        """Return a message's fields, without those that only answers have."""
        if not isinstance(item, dict):
            raise InvalidInput.at(pointer, _("A message is a JSON object."))
        if item.get("session_id", session_id) != session_id:
            raise InvalidInput.at(f"{pointer}/session_id", _("The body names another session than the address."))
        unstated = shown_only(SessionMessageSerializer)
        return {name: value for name, value in item.items() if name not in unstated}
