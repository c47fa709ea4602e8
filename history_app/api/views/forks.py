"""A new session from a point of another one."""

from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response

from config.shared.api.viewsets import LedgerViewSet
from history_app.api.parameters import SESSION
from history_app.api.serializers.forks import ForkedSerializer, ForkSerializer
from history_app.models import Message
from history_app.services.fork import session_fork
from sessions_app.selectors import session_find


class SessionForkViewSet(LedgerViewSet):
    """Parts a new session from another one."""

    queryset = Message.objects.none()
    serializer_class = ForkSerializer

    @extend_schema(parameters=[SESSION], request=ForkSerializer, responses={201: ForkedSerializer})
    def fork(self, request: Request, session_id: str) -> Response:
        """Make a session with the history and the state of this one, whole or up to a message or checkpoint."""
        values: dict[str, Any] = self.validated()
        source = session_find(caller=self.caller, session_id=session_id)
        done = session_fork(session=source, caller=self.caller, now=timezone.now(), **values)
        answer = {
            "session_id": done.session.session_id,
            "forked_from": done.source.session_id,
            "state_version": done.checkpoint,
            "copied": done.copied,
        }
        return Response(answer, status=status.HTTP_201_CREATED)
