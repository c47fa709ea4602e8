"""Coming back to a session: one call, one answer."""

from collections.abc import Iterable
from typing import Any, ClassVar

from django.conf import settings
from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from config.shared.api.pagination import LARGEST_PAGE_SIZE
from config.shared.api.serializers import MASK
from config.shared.api.viewsets import LedgerViewSet
from config.shared.errors import InvalidInput
from config.shared.plain_rows import passed_on
from history_app.api.parameters import SESSION
from history_app.api.serializers.restore import RestoreSerializer
from history_app.models import Message
from history_app.selectors.restore import CONTENTS, Bundle, session_restore

_LAST = OpenApiParameter("last", OpenApiTypes.INT, description="How many messages at most (1 to 1000).", default=100)


class RestoreViewSet(LedgerViewSet):
    """All that an agent needs to come back to a session."""

    queryset = Message.objects.none()
    serializer_class = RestoreSerializer
    action_parameters: ClassVar[dict[str, tuple[str, ...]]] = {"retrieve": ("last",)}

    @extend_schema(parameters=[SESSION, _LAST], responses=RestoreSerializer)
    def retrieve(self, request: Request, session_id: str) -> Response:
        """Return session, state, last messages, open tasks, pending tool calls, user, workflow and knowledge sources.

        `verdict` says whether something that the session names or counts is missing, by name.
        """
        bundle = session_restore(caller=self.caller, session_id=session_id, last=_last_of(request), document=passed_on)
        return Response(bundle if self.caller.can_see_contents else _masked(bundle))


def _last_of(request: Any) -> int:
    stated = request.query_params.get("last", str(settings.HISTORY_WINDOW))
    is_number = stated.isascii() and stated.isdigit() and len(stated) <= len(str(LARGEST_PAGE_SIZE))
    if not (is_number and 1 <= int(stated) <= LARGEST_PAGE_SIZE):
        raise InvalidInput.at("/last", _("last is a number from 1 to %d.") % LARGEST_PAGE_SIZE)
    return int(stated)


def _masked(bundle: Bundle) -> Bundle:
    """Return the bundle as roles see it that see no contents."""
    shown = {part: _hidden(value, CONTENTS.get(part, ())) for part, value in bundle.items()}
    for task in shown["open_tasks"]:
        task["subtasks"] = _hidden(task["subtasks"], CONTENTS["subtasks"])
    return shown


def _hidden(value: Any, names: Iterable[str]) -> Any:
    if isinstance(value, list):
        return [_hidden(item, names) for item in value]
    if not isinstance(value, dict):
        return value
    return {key: MASK if key in names and inner is not None else inner for key, inner in value.items()}
