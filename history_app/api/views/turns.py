"""An agent's turn: state and records in one request and one transaction."""

from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from config.shared.api.fencing import FENCE_PARAMETER, stated_fence
from config.shared.api.viewsets import LedgerViewSet, VersionedMixin
from config.shared.errors import InvalidInput, VersionRequired
from config.shared.versions import ABSENT
from history_app.api.parameters import SESSION
from history_app.api.serializers.turns import TurnAnswerSerializer, TurnInput, TurnSerializer, TurnStateSerializer
from history_app.models import Message
from history_app.services.turns import turn_save
from sessions_app.selectors import session_find
from sessions_app.services.drafts import StateDraft
from sessions_app.services.states import Change, patching, saving


class TurnViewSet(VersionedMixin, LedgerViewSet):
    """Takes turns."""

    queryset = Message.objects.none()
    serializer_class = TurnInput

    @extend_schema(parameters=[SESSION, FENCE_PARAMETER], request=TurnSerializer, responses={200: TurnAnswerSerializer})
    def create(self, request: Request, session_id: str) -> Response:
        """Write the next state and the turn's records, all or none. `expected_version` must be said: 0 is the first.

        412 says that the state moved on. With a `turn_id`, a turn that was stored already answers as it stands.
        """
        session = session_find(caller=self.caller, session_id=session_id)
        body = self.validated()
        turn = turn_save(
            session=session,
            change=_change(body),
            records=body.get("records", []),
            expected_version=self._expected(body),
            turn_id=body.get("turn_id", ""),
            fence=stated_fence(request),
            now=timezone.now(),
        )
        shown = TurnStateSerializer(turn.state, context=self.get_serializer_context()).data
        counts = {"replayed": turn.replayed, "accepted": turn.accepted, "duplicates": turn.duplicates}
        return Response({"version": turn.state.version, **counts, "state": shown})

    def _expected(self, body: dict[str, Any]) -> int:
        stated, in_header = body.get("expected_version"), self.expected_version
        if stated is None and in_header is None:
            raise VersionRequired(_("Say in expected_version which version of the state the turn began with."))
        in_body = ABSENT if stated == 0 else stated
        if None not in (in_body, in_header) and in_body != in_header:
            raise InvalidInput.at("/expected_version", _("The body names another version than If-Match."))
        return int(in_header if in_body is None else in_body)


def _change(body: dict[str, Any]) -> Change:
    """Return what the turn does to the state. Raises InvalidInput, ValidationError."""
    if ("state" in body) == ("state_patch" in body):
        raise InvalidInput.at("/state", _("A turn has either a state or a state_patch."))
    if "state_patch" in body:
        return patching(_state_values(body, "state_patch", partial=True))
    values = _state_values(body, "state", partial=False)
    return saving(StateDraft(**{name: value for name, value in values.items() if value is not None}))


def _state_values(body: dict[str, Any], name: str, *, partial: bool) -> dict[str, Any]:
    # Apart from the rest of the body: whether null empties a document is for the state alone to say.
    serializer = TurnStateSerializer(data=body[name], partial=partial)
    if not serializer.is_valid():
        raise ValidationError({name: serializer.errors})
    values: dict[str, Any] = serializer.validated_data
    return values
