"""A record that comes alone takes the short way on PostgreSQL, and stores the same as on the way of batches."""

import asyncio

import pytest
from django.db import connection, connections

from config.shared.errors import Conflict, InvalidInput
from history_app.models import ErrorRecord, Message, Metric, ToolCall
from history_app.services.recording import arecord, arecord_many, fact_record, record, record_many
from sessions_app.models import Session, SessionActivity
from tests.history_app.records import record as raw_record

pytestmark = pytest.mark.django_db

KINDS = {"message": Message, "tool_call": ToolCall, "error": ErrorRecord, "metric": Metric}


def _say(project, now, record_id, **fields):
    return record(project_id=project.pk, fields=raw_record("message", record_id, **fields), now=now)


@pytest.mark.parametrize("kind", KINDS)
def test_the_answered_row_is_the_stored_one(project, now, kind):
    _say(project, now, "m-0")
    fields = raw_record(kind, "r-1", metadata={"shift": 1, "说": "你好"})
    if kind == "message":
        fields["content"] = [{"type": "text", "text": "a\tb\\c\n"}]
    del fields["record_type"]
    row, is_new = fact_record(model=KINDS[kind], project_id=project.pk, fields=fields, now=now)
    stored = KINDS[kind].objects.select_related("session").get(record_id="r-1")
    assert is_new
    assert {field.attname: getattr(row, field.attname) for field in row._meta.concrete_fields} == {
        field.attname: getattr(stored, field.attname) for field in stored._meta.concrete_fields
    }
    assert row.session.session_id == "s-1"
    assert row == stored
    row.refresh_from_db()


def test_the_session_moves_on_with_each_message(project, now):
    assert [_say(project, now, f"m-{n}") for n in range(5)] == [True] * 5
    assert list(Message.objects.order_by("sequence").values_list("sequence", flat=True)) == [1, 2, 3, 4, 5]
    activity = SessionActivity.objects.get()
    assert (activity.last_sequence, activity.message_count) == (5, 5)


def test_a_repeated_record_takes_no_number(project, now):
    _say(project, now, "m-1")
    assert _say(project, now, "m-1") is False
    with pytest.raises(Conflict):
        _say(project, now, "m-1", content="Something else")
    _say(project, now, "m-2")
    assert list(Message.objects.order_by("sequence").values_list("sequence", flat=True)) == [1, 2]


def test_the_activity_is_never_in_the_future(project, now):
    _say(project, now, "m-1", timestamp="2026-01-01T00:00:00Z")
    _say(project, now, "m-2", timestamp="2098-01-01T00:00:00Z")
    assert SessionActivity.objects.get().last_activity_at == now


def test_a_session_of_the_same_name_elsewhere_is_left_alone(project, other_project, now):
    _say(project, now, "m-1")
    _say(other_project, now, "m-2")
    assert Session.objects.filter(session_id="s-1").count() == 2
    assert Message.objects.get(record_id="m-2").project_id == other_project.pk


def test_a_session_that_may_not_be_created_is_missed(project, now):
    with pytest.raises(InvalidInput):
        record(project_id=project.pk, fields=raw_record("message", "m-1"), now=now, create_session=False)
    assert not Session.objects.exists()


@pytest.mark.parametrize("kind", ["llm_request", "llm_response", "token_usage", "cost"])
def test_kinds_that_are_joined_are_recorded_alone_too(project, now, kind):
    assert record(project_id=project.pk, fields=raw_record(kind, "r-1"), now=now) is True
    assert record(project_id=project.pk, fields=raw_record(kind, "r-1"), now=now) is False


@pytest.mark.django_db(transaction=True)
def test_outside_of_a_transaction_the_statement_is_one_of_its_own(project, now):
    test_the_session_moves_on_with_each_message(project, now)
    assert _say(project, now, "m-1") is False
    assert not connection.in_atomic_block


def test_many_records_are_settled_one_by_one(project, now):
    records = (raw_record("message", f"m-{n}", role="user" if n != 2 else "narrator") for n in range(4))
    intake = record_many(project_id=project.pk, records=records, now=now)
    assert (intake.accepted, [refusal.index for refusal in intake.rejected]) == (3, [2])


@pytest.mark.django_db(transaction=True)
def test_a_connection_that_the_server_has_ended_is_made_anew(project, now):
    if connection.vendor != "postgresql":
        pytest.skip("other databases ask at the beginning of each request")
    _say(project, now, "m-1")
    other = connection.copy()
    with other.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s, 10000)", [connection.connection.info.backend_pid])
    other.close()
    # As between two requests.
    connection.health_check_enabled, connection.health_check_done = True, False
    assert _say(project, now, "m-2")
    assert Message.objects.count() == 2


@pytest.mark.django_db(transaction=True)
def test_a_running_loop_records_too(project, now):
    if connection.vendor == "sqlite":
        pytest.skip("the tests' SQLite is in memory, and locked for a second thread while this one reads")

    async def work():
        from asgiref.sync import sync_to_async

        first = await arecord(project_id=project.pk, fields=raw_record("message", "m-1"), now=now)
        several = [arecord(project_id=project.pk, fields=raw_record("message", f"n-{n}"), now=now) for n in range(5)]
        found = await asyncio.gather(*several)
        intake = await arecord_many(project_id=project.pk, records=[raw_record("message", "m-1")], now=now)
        await sync_to_async(connections.close_all)()
        return first, found, intake.duplicates

    assert asyncio.run(work()) == (True, [True] * 5, 1)
    assert Message.objects.count() == 6
