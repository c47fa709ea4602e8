"""Values come back as they went in, on every database."""

from decimal import Decimal

import pytest

from config.shared import crypto
from config.shared.fields import ExactSum
from history_app.models import TokenUsage, ToolCall
from sessions_app.models import ProviderKey, SystemConfig
from tests import factories

pytestmark = pytest.mark.django_db

NUMBERS = [12345678901234567890123, 0.30000000000000004, 1.0, -0.0, 1e-12]


@pytest.mark.parametrize("value", [{"id": number, "": "empty key", "ключ": "值"} for number in NUMBERS])
def test_json_comes_back_to_the_last_digit(value):
    call = factories.make_tool_call(tool_input=value)
    stored = ToolCall.objects.get(pk=call.pk).tool_input
    assert repr(stored) == repr(value)


@pytest.mark.parametrize("value", [None, {}, [], "", 0, False, {"a": [1, {"b": None}]}, "text", [[[[1]]]]])
def test_any_json_value_is_told_from_any_other(value):
    call = factories.make_tool_call(tool_output=value)
    assert ToolCall.objects.get(pk=call.pk).tool_output == value
    assert ToolCall.objects.filter(pk=call.pk, tool_output__isnull=True).exists() is (value is None)


def test_json_nested_deeper_than_mariadb_knows_is_stored():
    value: list = []
    for _ in range(60):
        value = [value]
    call = factories.make_tool_call(tool_output=value)
    assert ToolCall.objects.get(pk=call.pk).tool_output == value


def test_empty_documents_take_no_space():
    session = factories.make_session(metadata={}, tags=[])
    assert type(session).objects.filter(pk=session.pk, metadata__isnull=True, tags__isnull=True).exists()
    session.refresh_from_db()
    assert (session.metadata, session.tags) == ({}, [])


def test_costs_are_summed_to_the_last_digit():
    costs = ["0.019520000000000006", "0.000867499999", "1E-12", "0.00000000000000000000001", "123456789.1"]
    costs.append("123456789012.123456789012345678901234")
    session = factories.make_session()
    for cost in costs:
        factories.make_token_usage(session=session, cost=Decimal(cost), cost_status="reported")
    total = TokenUsage.objects.aggregate(total=ExactSum("cost"))["total"]
    assert total == Decimal("123580245801.243844289012345684901244")
    assert {row.cost for row in TokenUsage.objects.all()} == {Decimal(cost) for cost in costs}


def test_the_sum_of_no_cost_is_nothing():
    factories.make_token_usage()
    assert TokenUsage.objects.aggregate(total=ExactSum("cost"))["total"] is None


def test_a_provider_key_is_stored_sealed_and_read_back():
    key = factories.make_provider_key(secret="sk-live-0123456789-abcd")
    stored = ProviderKey.objects.get(pk=key.pk)
    assert "0123456789" not in stored.sealed
    assert stored.reveal() == "sk-live-0123456789-abcd"
    assert stored.masked == "********abcd"


def test_a_short_provider_key_shows_nothing():
    assert factories.make_provider_key(secret="short").masked == "********"


def test_a_sealed_key_moved_to_another_row_does_not_open():
    mine, theirs = factories.make_provider_key(), factories.make_provider_key()
    ProviderKey.objects.filter(pk=theirs.pk).update(sealed=mine.sealed)
    with pytest.raises(crypto.DecryptionFailed):
        ProviderKey.objects.get(pk=theirs.pk).reveal()


def test_a_sealed_key_whose_encryption_key_is_gone_does_not_open(settings):
    key = factories.make_provider_key()
    settings.FIELD_ENCRYPTION_KEYS = ["other:" + "A" * 43]
    with pytest.raises(crypto.DecryptionFailed):
        key.reveal()


def test_a_rotated_key_still_opens_what_it_sealed(settings):
    key = factories.make_provider_key(secret="sk-live-0123456789-abcd")
    settings.FIELD_ENCRYPTION_KEYS = ["newer:" + "A" * 43, *settings.FIELD_ENCRYPTION_KEYS]
    assert key.reveal() == "sk-live-0123456789-abcd"


def test_secrets_of_a_setting_are_sealed_together():
    config = factories.make_system_config(value={"api_key": "********"})
    config.seal({"/api_key": "sk-live-1"})
    config.save()
    stored = SystemConfig.objects.get(pk=config.pk)
    assert "sk-live-1" not in stored.sealed_secrets
    assert stored.unseal() == {"/api_key": "sk-live-1"}
