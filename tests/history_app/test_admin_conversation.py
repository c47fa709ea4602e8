"""A session opens as a conversation: all at its place in time, a window at a time, by a fixed number of queries."""

import re
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from history_app.models import Message
from tests.admin_rows import page
from tests.factories import (
    NOW,
    make_error,
    make_llm_call,
    make_message,
    make_session,
    make_session_state,
    make_subtask,
    make_task,
    make_token_usage,
    make_tool_call,
)

pytestmark = pytest.mark.django_db


def later(seconds: float):
    return NOW + timedelta(seconds=seconds)


def talk(session, messages: int, start: int = 0) -> None:
    """Give the session messages, a second apart."""
    Message.objects.bulk_create(
        Message(
            project_id=session.project_id,
            session=session,
            record_id=f"m{number}",
            sequence=number + 1,
            role=("user", "assistant")[number % 2],
            content=f"message {number}",
            timestamp=later(number),
        )
        for number in range(start, messages)
    )


def shown(response) -> list[str]:
    """Return the kinds and record ids of the entries in the order of the page."""
    return [f"{entry.kind}:{entry.row.pk}" for entry in response.context["entries"]]


def test_everything_stands_at_its_place_in_time(staff_admin):
    session = make_session()
    answer = make_message(session=session, role="assistant", content="It is on its way.", timestamp=later(5))
    question = make_message(session=session, content="Where is my order?", timestamp=later(1))
    error = make_error(session=session, timestamp=later(4))
    call = make_tool_call(session=session, timestamp=later(3))
    request = make_llm_call(session=session, timestamp=later(2))
    make_message(content="somebody else's")
    response = staff_admin.get(page(session, "conversation"))
    assert shown(response) == [
        f"message:{question.pk}",
        f"llm_call:{request.pk}",
        f"tool_call:{call.pk}",
        f"error:{error.pk}",
        f"message:{answer.pk}",
    ]
    text = response.content.decode()
    for expected in ("Where is my order?", "lookup_order", "gpt-4o", "TimeoutError", "It is on its way."):
        assert expected in text
    assert "somebody else" not in text


def test_at_one_moment_messages_keep_their_numbers(staff_admin):
    session = make_session()
    rows = [make_message(session=session, timestamp=NOW) for _ in range(5)]
    call = make_tool_call(session=session, timestamp=NOW)
    expected = [f"message:{row.pk}" for row in rows] + [f"tool_call:{call.pk}"]
    assert shown(staff_admin.get(page(session, "conversation"))) == expected


def test_tokens_cost_state_and_tasks_are_shown(staff_admin):
    session = make_session(tags=["vip"], user_id="ann")
    make_token_usage(session=session, cost=Decimal("0.1"), cost_status="reported")
    make_token_usage(session=session, cost=Decimal("0.000001"), cost_status="reported", total_tokens=None)
    make_token_usage(session=session)
    make_session_state(session=session, version=1, current_step="first")
    make_session_state(session=session, version=2, current_step="second", data={"found": "所有"})
    make_subtask(task=make_task(session=session, user_input="Find the parcel."), description="Ask the carrier.")
    response = staff_admin.get(page(session, "conversation"))
    assert response.context["usage"]["tokens"] == "360"
    assert response.context["usage"]["cost"] == "$0.100001"
    assert response.context["usage"]["unpriced"] == 1
    text = response.content.decode()
    for expected in ("vip", "ann", "second", "所有", "Find the parcel.", "Ask the carrier."):
        assert expected in text


@pytest.mark.parametrize("ties", [False, True])
def test_every_entry_is_on_exactly_one_page_in_both_directions(staff_admin, ties):
    session = make_session()
    talk(session, 230)
    for number in range(0, 230, 7):
        make_tool_call(session=session, timestamp=later(number if ties else number + 0.5))
        make_error(session=session, timestamp=later(number if ties else number + 0.6))
    forwards, backwards = [], []
    address = page(session, "conversation") + "?from=start"
    while address:
        response = staff_admin.get(address)
        forwards += shown(response)
        key = response.context["window"].later
        address = f"{page(session, 'conversation')}?after={key}" if key else None
    address = page(session, "conversation")
    while address:
        response = staff_admin.get(address)
        backwards = shown(response) + backwards
        key = response.context["window"].earlier
        address = f"{page(session, 'conversation')}?before={key}" if key else None
    assert len(forwards) == len(set(forwards)) == 296
    assert forwards == backwards


@pytest.mark.parametrize("key", ["x", "1.2", "99999999999999999.1.1", "-1.9.0", "1.1.1'--", "１.1.1"])
def test_a_senseless_key_leads_to_the_newest_entries(staff_admin, key):
    session = make_session()
    make_message(session=session)
    assert staff_admin.get(page(session, "conversation"), {"after": key}).status_code == 200
    assert staff_admin.get(page(session, "conversation"), {"before": key}).status_code == 200


def queries_for(client, session) -> int:
    with CaptureQueriesContext(connection) as queries:
        assert client.get(page(session, "conversation")).status_code == 200
    return len(queries)


def filled(messages: int):
    """Return a session with this many messages and a tenth of it in calls, errors and tasks."""
    session = make_session()
    talk(session, messages)
    for number in range(0, messages, 10):
        make_tool_call(session=session, timestamp=later(number))
        make_llm_call(session=session, timestamp=later(number))
        make_error(session=session, timestamp=later(number))
        make_token_usage(session=session, timestamp=later(number))
        make_subtask(task=make_task(session=session))
    make_session_state(session=session)
    return session


def test_the_number_of_queries_does_not_depend_on_the_length(staff_admin):
    few, many = filled(10), filled(500)
    staff_admin.get(page(few, "conversation"))
    assert queries_for(staff_admin, few) == queries_for(staff_admin, many) <= 21


def test_long_contents_are_folded_and_very_long_ones_are_cut(staff_admin):
    session = make_session()
    make_message(session=session, content="start " + "x" * 30_000 + " end")
    make_tool_call(session=session, tool_output="y" * 30_000)
    make_message(session=session, content="short")
    text = staff_admin.get(page(session, "conversation")).content.decode()
    assert "show all 30010 characters" in text
    assert "Open the record to read all of it" in text
    assert " end" not in re.sub(r"\s+", " ", text.split("start xx")[1].split("</details>")[0])
    assert len(text) < 200_000


def test_contents_are_escaped(staff_admin):
    session = make_session(title="<b>title</b>", tags=["<i>tag"], user_id="<u>")
    evil = "<script>alert(1)</script>"
    make_message(session=session, content=evil)
    make_tool_call(session=session, tool_name=evil, tool_input=evil, tool_output={evil: evil}, error_message=evil)
    make_llm_call(session=session, model=evil, response=evil, messages=[evil])
    make_error(session=session, error_type=evil, error_message=evil, stack_trace=evil)
    make_task(session=session, user_input=evil)
    make_session_state(session=session, current_step=evil, data={evil: evil})
    addresses = [page(session, "conversation"), page(session, "change"), "/admin/history_app/message/"]
    for address in addresses:
        text = staff_admin.get(address).content.decode()
        assert "<script>alert" not in text
        assert "<b>title" not in text


def test_structured_messages_show_what_was_said_and_how_it_was_sent(staff_admin):
    session = make_session()
    make_message(session=session, content="Look at this", structured_content=[{"type": "text", "text": "Look at this"}])
    make_message(session=session, content=None)
    text = staff_admin.get(page(session, "conversation")).content.decode()
    assert "as it was sent" in text
    assert "no content" in text


def test_an_empty_session_says_that_nothing_was_recorded(staff_admin):
    text = staff_admin.get(page(make_session(), "conversation")).content.decode()
    assert "Nothing has been recorded in this session yet." in text


def test_the_list_of_sessions_leads_to_the_conversation(staff_admin):
    session = make_session()
    assert page(session, "conversation") in staff_admin.get("/admin/sessions_app/session/").content.decode()


def test_the_page_links_to_the_sessions_files(staff_admin):
    session = make_session(session_id="order 7/a")
    make_message(session=session)
    body = staff_admin.get(page(session, "conversation")).content.decode()
    links = re.findall(r'href="(/api/sessions/[^"]+)"', body)
    assert links == [
        f"/api/sessions/order%207/a/export/?format={form}&amp;project=default" for form in ("json", "jsonl", "csv")
    ]
    answer = staff_admin.get(links[1].replace("&amp;", "&"))
    assert b"".join(answer).count(b"\n") == 1
