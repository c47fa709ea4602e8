"""What the API takes and shows of an agent's turn."""

from config.shared.api.fields import BooleanValue, IntegerValue, JsonArray, JsonValue, TextValue
from config.shared.api.serializers import LedgerSerializer, StrictInput
from history_app.api.serializers.records import IncomingRecordSerializer
from history_app.services.turns import TURN_ID_LENGTH
from sessions_app.models import SessionState
from sessions_app.services.drafts import GREATEST_COUNT, StateDraft


class TurnStateSerializer(LedgerSerializer):
    """One version of a session's state."""

    class Meta:
        model = SessionState
        fields = (*StateDraft().values(), "version", "turn_id", "created_at")
        read_only_fields = ("version", "turn_id", "created_at")
        masked_fields = ("errors", "tool_results", "data")


class TurnSerializer(StrictInput):
    """One turn as it comes in. `state` states it whole, `state_patch` changes it; one of them is there."""

    expected_version = IntegerValue(required=False, min_value=0, max_value=GREATEST_COUNT)
    turn_id = TextValue(required=False, max_length=TURN_ID_LENGTH)
    state = TurnStateSerializer(required=False)
    state_patch = TurnStateSerializer(required=False)
    records = IncomingRecordSerializer(many=True, required=False)


class TurnInput(TurnSerializer):
    """The same as it is read: the view reads the state, and the validator of the services the records."""

    state = JsonValue(required=False)
    state_patch = JsonValue(required=False)
    records = JsonArray(required=False)


class TurnAnswerSerializer(StrictInput):
    """What the turn came to."""

    version = IntegerValue(help_text="The version that the turn wrote.")
    replayed = BooleanValue(help_text="The turn had been stored before; nothing was written now.")
    accepted = IntegerValue(help_text="Records stored now.")
    duplicates = IntegerValue(help_text="Records that had been stored before, with the same content.")
    state = TurnStateSerializer()
