"""The tail of a session: from any position every record once, whichever way it came in."""

import random

import pytest

from config.shared.callers import SYSTEM
from history_app.models import Arrival, LLMCall, Message, TokenUsage
from history_app.selectors.record_types import RECORD_TYPES, chosen
from history_app.selectors.tail import position_now, revisions, tail_page
from history_app.selectors.tail_position import Position
from history_app.services.edits import fact_delete
from history_app.services.recording import message_append, tool_call_save
from sessions_app.models import Session, SessionActivity
from sessions_app.services import deletion
from sessions_app.services.sessions import session_delete
from tests.factories import make_session
from tests.history_app.records import record, write

pytestmark = pytest.mark.django_db

KINDS = tuple(kind.name for kind in RECORD_TYPES)


@pytest.fixture
def session(project):
    return make_session(project=project, session_id="s-1")


def read(session, position, *, limit=100, kinds=RECORD_TYPES):
    """Return the (type, id) of everything after the position, read page by page, and the position reached."""
    seen = []
    while True:
        page = tail_page(session, position, kinds, limit=limit)
        seen += [(found["record_type"], found["record_id"]) for _position, found in page.records]
        position = Position.from_text(str(page.end))
        if page.is_last:
            return seen, position


def key(raw):
    return raw["record_type"], raw["record_id"]


def a_day(turns, session_id="s-1"):
    """Return records of every type; each turn's response, use and cost belong together."""
    return [
        record(kind, f"{kind}-{turn}", session_id=session_id, timestamp=f"2026-03-01T12:00:{turn:02}Z")
        | ({"request_id": f"call-{turn}"} if kind.startswith("llm") else {})
        for turn in range(turns)
        for kind in KINDS
    ]


def test_a_tail_from_the_start_has_every_record_once(project, session, now):
    day = a_day(4)
    write(project, day, now)
    for limit in (1, 2, 7, 100):
        seen, _end = read(session, Position.start(session.pk), limit=limit)
        assert sorted(seen) == sorted(map(key, day))


def test_records_of_one_type_come_in_the_order_of_recording_whatever_their_time(project, session, now):
    early, late = "2026-03-01T11:00:00Z", "2026-03-01T13:00:00Z"
    write(project, [record("error", "first", timestamp=late), record("error", "second", timestamp=early)], now)
    seen, _end = read(session, Position.start(session.pk), limit=1)
    assert [name for _type, name in seen] == ["first", "second"]


def test_from_now_on_only_what_is_new_comes(project, session, now):
    write(project, a_day(2), now)
    position = position_now(session)
    assert read(session, position)[0] == []
    write(project, [*a_day(3), record("message", "elsewhere", session_id="s-2")], now)
    assert sorted(read(session, position)[0]) == sorted((kind, f"{kind}-2") for kind in KINDS)


def test_every_position_on_the_way_goes_on_with_the_next_record(project, session, now):
    write(project, a_day(3), now)
    page = tail_page(session, Position.start(session.pk), RECORD_TYPES, limit=100)
    whole = [key(found) for _position, found in page.records]
    for place, (position, _found) in enumerate(page.records):
        assert read(session, position)[0] == whole[place + 1 :]


@pytest.mark.parametrize("first", ["llm_request", "llm_response"])
def test_the_second_half_of_a_call_comes_when_it_joins_and_only_then(project, session, now, first):
    second = {"llm_request": "llm_response", "llm_response": "llm_request"}[first]
    start = Position.start(session.pk)
    write(project, [record(first, "one")], now)
    seen, position = read(session, start)
    assert seen == [(first, "one")]
    write(project, [record(second, "two")], now)
    assert LLMCall.objects.count() == 1
    assert read(session, position)[0] == [(second, "two")]
    # Who reads later sees both, once each, and may stop in between.
    for limit in (1, 10):
        assert sorted(read(session, start, limit=limit)[0]) == sorted([(first, "one"), (second, "two")])


def test_a_cost_that_joins_a_use_comes_once(project, session, now):
    start = Position.start(session.pk)
    write(project, [record("token_usage", "u-1")], now)
    seen, position = read(session, start)
    write(project, [record("cost", "c-1")], now)
    assert TokenUsage.objects.count() == 1
    more, position = read(session, position)
    assert seen + more == [("token_usage", "u-1"), ("cost", "c-1")]
    write(project, [record("cost", "c-1"), record("token_usage", "u-1")], now)
    assert read(session, position)[0] == []


def test_a_cost_that_came_first_is_not_told_again_when_its_use_comes(project, session, now):
    write(project, [record("cost", "c-1")], now)
    seen, position = read(session, Position.start(session.pk))
    write(project, [record("token_usage", "u-1")], now)
    assert TokenUsage.objects.count() == 1
    assert (seen, read(session, position)[0]) == ([("cost", "c-1")], [("token_usage", "u-1")])


def test_costs_that_change_places_are_told_once(project, session, now):
    """A cost with a lower id takes the use of the one that was there, which moves on: to a row of its own."""
    write(project, [record("token_usage", "u-1"), record("cost", "c-2", total_cost="0.2")], now)
    _seen, position = read(session, Position.start(session.pk))
    write(project, [record("cost", "c-1", total_cost="0.1")], now)
    assert TokenUsage.objects.get(record_id="u-1").cost_record_id == "c-1"
    assert read(session, position)[0] == [("cost", "c-1")]
    write(project, [record("token_usage", "u-2")], now)
    again, _end = read(session, Position.start(session.pk), limit=1)
    assert sorted(again) == [("cost", "c-1"), ("cost", "c-2"), ("token_usage", "u-1"), ("token_usage", "u-2")]


@pytest.mark.parametrize("seed", range(6))
def test_any_batches_in_any_order_are_told_once_each_with_pages_in_between(project, session, now, seed):
    dice = random.Random(seed)
    day = a_day(5)
    # Three uses and three costs that agree, so that pairs are made and remade.
    day += [record(kind, f"twin-{n}") for n in range(3) for kind in ("token_usage", "cost")]
    dice.shuffle(day)
    position, seen = Position.start(session.pk), []
    while day:
        batch = [day.pop() for _ in range(min(len(day), dice.randint(1, 6)))]
        write(project, batch + dice.sample(batch, len(batch) // 2), now)
        if dice.random() < 0.7:
            more, position = read(session, position, limit=dice.choice((1, 3, 100)))
            seen += more
    seen += read(session, position)[0]
    expected = [(kind, f"{kind}-{turn}") for turn in range(5) for kind in KINDS]
    expected += [(kind, f"twin-{n}") for n in range(3) for kind in ("token_usage", "cost")]
    assert sorted(seen) == sorted(expected)
    assert sorted(read(session, Position.start(session.pk), limit=4)[0]) == sorted(expected)


def test_a_record_that_is_gone_is_passed_over(project, session, now):
    write(project, [record("token_usage", "u-1"), record("llm_request", "q-1")], now)
    write(project, [record("cost", "c-1"), record("llm_response", "r-1")], now)
    fact_delete(fact=TokenUsage.objects.get(), caller=SYSTEM, now=now)
    fact_delete(fact=LLMCall.objects.get(), caller=SYSTEM, now=now)
    seen, position = read(session, Position.start(session.pk), limit=1)
    assert seen == []
    # Recorded again, it is new.
    write(project, [record("cost", "c-1")], now)
    assert read(session, position)[0] == [("cost", "c-1")]


def test_some_types_only(project, session, now):
    write(project, a_day(2), now)
    write(project, [record("llm_response", "late", request_id="call-9")], now)
    kinds = chosen(["error", "cost"])
    seen, position = read(session, Position.start(session.pk), kinds=kinds, limit=1)
    assert sorted(seen) == [("cost", "cost-0"), ("cost", "cost-1"), ("error", "error-0"), ("error", "error-1")]
    assert read(session, position, kinds=kinds)[0] == []


def test_the_revision_moves_with_every_new_record_and_with_nothing_else(project, session, now):
    def revision():
        return revisions([session.pk, 10**9]).get(session.pk)

    assert revision() == 0
    for number, kind in enumerate(KINDS, 1):
        write(project, [record(kind, f"{kind}-x")], now)
        assert revision() == number
        write(project, [record(kind, f"{kind}-x")], now)
        assert revision() == number
    message_append(project_id=project.pk, fields={"session_id": "s-1", "role": "user", "content": "x"}, now=now)
    tool_call_save(project_id=project.pk, fields={"session_id": "s-1", "tool_name": "x"}, now=now)
    assert revision() == len(KINDS) + 2
    SessionActivity.objects.all().delete()
    assert revision() == 0
    Message.objects.all().delete()
    Session.objects.filter(pk=session.pk).delete()
    assert revision() is None


def test_a_session_whose_rows_are_still_being_removed_is_gone(project, session, now, monkeypatch):
    write(project, [record("message", f"m-{n}") for n in range(3)], now)
    monkeypatch.setattr(deletion, "BATCH", 1)
    session_delete(session=session, caller=SYSTEM, now=now)
    assert Session.objects.filter(pk=session.pk).exists()
    assert revisions([session.pk]) == {}


def test_a_page_takes_a_fixed_number_of_queries(project, session, now, django_assert_num_queries):
    # Eight types, the arrivals and where they stand (three), and one for each table that has records on the page.
    write(project, a_day(1), now)
    write(project, [record("llm_request", "q-x", request_id="x")], now)
    write(project, [record("llm_response", "r-x", request_id="x"), record("cost", "c-x")], now)
    with django_assert_num_queries(8 + 1 + 2 + 6):
        tail_page(session, Position.start(session.pk), RECORD_TYPES, limit=100)
    with django_assert_num_queries(7):
        position = position_now(session)
    with django_assert_num_queries(8 + 1):
        tail_page(session, position, RECORD_TYPES, limit=100)


def test_only_records_that_share_a_row_leave_a_note(project, session, now):
    write(project, a_day(2), now)
    assert set(Arrival.objects.values_list("record_type", flat=True)) == {"cost"}
    write(project, [record("llm_request", "q-x", request_id="x")], now)
    write(project, [record("llm_response", "r-x", request_id="x")], now)
    assert Arrival.objects.filter(record_type="llm_response").count() == 1


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "1",
        "1-2",
        "1" + "-0" * 10,
        "1" + "-0" * 8 + "--1",
        "1" + "-0" * 8 + f"-{2**63}",
        "1" + "-0" * 8 + "-01",
        "١" + "-0" * 9,
        "1" + "-0" * 9 + "\n",
    ],
)
def test_what_is_no_position_is_refused(text):
    with pytest.raises(ValueError, match="not a position"):
        Position.from_text(text)


def test_a_position_is_its_text():
    position = Position(7, (1, 2, 3, 4, 5, 6, 7, 8, 2**63 - 1))
    assert Position.from_text(str(position)) == position
