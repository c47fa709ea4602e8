"""Facts in the admin: protected from careless edits, put right with the permission, found by index."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.contrib.auth.models import Permission
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from config.shared.admin import paginator
from history_app.models import ErrorRecord, LLMCall, Message, Metric, Task, TokenUsage, ToolCall
from sessions_app.models import AuditEntry, StaffUser
from tests.admin_rows import form_of, page
from tests.factories import (
    NOW,
    make_llm_call,
    make_message,
    make_session,
    make_subtask,
    make_task,
    make_token_usage,
    make_tool_call,
)

pytestmark = pytest.mark.django_db


def edit(row) -> str:
    return page(row, "change") + "?edit=1"


def test_a_fact_opens_for_reading_only(staff_admin):
    message = make_message()
    response = staff_admin.get(page(message, "change"))
    assert response.context["adminform"].form.fields == {}
    assert "?edit=1" in response.content.decode()
    assert staff_admin.post(page(message, "change"), {"content": "slipped"}).status_code == 403


def test_the_edit_switch_needs_the_permission(project):
    user = StaffUser.objects.create_user(username="looker", is_staff=True)
    user.projects.add(project)
    user.user_permissions.set(Permission.objects.filter(codename="view_message"))
    client = Client()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    message = make_message()
    assert "?edit=1" not in client.get(page(message, "change")).content.decode()
    assert client.post(edit(message), {"content": "slipped"}).status_code == 403


def test_a_message_is_put_right_and_the_audit_names_the_field_but_not_the_content(staff_admin):
    message = make_message(content="the words before", timestamp=NOW + timedelta(microseconds=7))
    form = {**form_of(staff_admin, edit(message)), "content": "the words after"}
    assert staff_admin.post(edit(message), form).status_code == 302
    stored = Message.objects.get(pk=message.pk)
    assert (stored.content, stored.timestamp, stored.sequence) == ("the words after", message.timestamp, 1)
    entry = AuditEntry.objects.latest("number")
    assert (entry.action, entry.actor, entry.changes) == ("message.update", "staff_admin", {"content": "changed"})


def test_an_untouched_fact_stays_as_it_was(staff_admin):
    usage = make_token_usage(reported_cost=Decimal("0.000000001"), cost=Decimal("0.000000001"), cost_status="reported")
    rows = [make_message(content=" a\r\nb "), make_tool_call(), make_llm_call(), usage]
    for row in rows:
        before = type(row).objects.filter(pk=row.pk).values().get()
        assert staff_admin.post(edit(row), form_of(staff_admin, edit(row))).status_code == 302
        assert type(row).objects.filter(pk=row.pk).values().get() == before


def test_a_message_is_added_with_the_next_number(staff_admin):
    session = make_session()
    make_message(session=session)
    form = form_of(staff_admin, page(Message, "add")) | {"session": session.pk, "role": "assistant", "content": "Hi"}
    assert staff_admin.post(page(Message, "add"), form).status_code == 302
    message = Message.objects.get(content="Hi")
    assert (message.sequence, message.project_id) == (2, session.project_id)
    session.activity.refresh_from_db()
    assert session.activity.message_count == 2
    assert AuditEntry.objects.latest("number").action == "message.create"


@pytest.mark.parametrize(
    ("model", "typed"),
    [
        (ToolCall, {"tool_name": "grep", "status": "success", "tool_input": '{"q": 1}', "execution_time": "0.5"}),
        (LLMCall, {"model": "gpt-4o", "request_id": "r-1", "messages": '[{"role": "user", "content": "?"}]'}),
        (TokenUsage, {"model": "gpt-4o", "prompt_tokens": "3", "completion_tokens": "4", "total_tokens": "7"}),
        (ErrorRecord, {"error_type": "OSError", "severity": "error"}),
        (Metric, {"metric_type": "speed", "metric_value": "1.5"}),
        (Task, {"user_input": "Find it", "status": "pending"}),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else "",
)
def test_every_kind_of_fact_can_be_added_by_hand(staff_admin, model, typed):
    session = make_session()
    form = form_of(staff_admin, page(model, "add")) | {"session": session.pk} | typed
    response = staff_admin.post(page(model, "add"), form)
    assert response.status_code == 302, response.context["adminform"].form.errors
    stored = model.objects.get()
    assert stored.project_id == session.project_id
    assert stored.record_id


def test_what_the_validator_refuses_is_shown_in_the_form(staff_admin):
    call = make_tool_call()
    response = staff_admin.post(edit(call), form_of(staff_admin, edit(call)) | {"execution_time": "-1"})
    assert response.status_code == 200
    assert response.context["adminform"].form.errors
    assert ToolCall.objects.get(pk=call.pk).execution_time == 0.25


def test_deleting_a_message_corrects_the_count_of_its_session(staff_admin):
    session = make_session()
    first, _second = make_message(session=session), make_message(session=session)
    staff_admin.post(page(first, "delete"), {"post": "yes"})
    session.activity.refresh_from_db()
    assert (session.activity.message_count, session.activity.last_sequence) == (1, 2)


def test_a_task_and_its_subtask_are_changed_with_an_audit_entry(staff_admin):
    subtask = make_subtask()
    for row, name in ((subtask, "actual_output"), (subtask.task, "user_input")):
        assert staff_admin.post(edit(row), form_of(staff_admin, edit(row)) | {name: "done"}).status_code == 302
        row.refresh_from_db()
        assert getattr(row, name) == "done"
        assert AuditEntry.objects.latest("number").changes == {name: "changed"}


def test_facts_are_found_by_the_beginning_of_their_session_id(staff_admin):
    mine = make_message(session=make_session(session_id="search-me-1"))
    make_message(session=make_session(session_id="other"))
    for term, found in (("search-", [mine]), ("earch", []), ("SEARCH", [])):
        listed = staff_admin.get(page(Message, "changelist"), {"q": term}).context["cl"]
        assert list(listed.result_list) == found, term


def test_tool_calls_are_found_by_the_whole_name_of_the_tool(staff_admin):
    call = make_tool_call(tool_name="web.search")
    make_tool_call(tool_name="web.fetch")
    listed = staff_admin.get(page(ToolCall, "changelist"), {"q": "web.search"}).context["cl"]
    assert list(listed.result_list) == [call]


@pytest.mark.parametrize("parameters", [{"project": "x"}, {"project": "9" * 30}, {"timestamp_within": "x"}, {"p": "x"}])
def test_a_senseless_filter_is_no_failure(staff_admin, parameters):
    make_message()
    assert staff_admin.get(page(Message, "changelist"), parameters).status_code in (200, 302)


def test_a_list_never_reads_whole_contents(staff_admin):
    make_message(content="x" * 5000)
    make_tool_call(tool_output="y" * 5000)
    make_task(user_input="z" * 5000)
    for model in (Message, ToolCall, Task):
        text = staff_admin.get(page(model, "changelist")).content.decode()
        assert not any(letter * 500 in text for letter in "xyz")


def test_a_big_list_is_counted_only_up_to_a_bound(staff_admin, monkeypatch):
    monkeypatch.setattr(paginator, "COUNTED_AT_MOST", 60)
    session = make_session()
    rows = [
        Message(project_id=session.project_id, session=session, record_id=f"m{n}", sequence=n, role="user")
        for n in range(1, 66)
    ]
    Message.objects.bulk_create(rows)
    with CaptureQueriesContext(connection) as queries:
        response = staff_admin.get(page(Message, "changelist"))
    counting = [query["sql"] for query in queries if "COUNT(" in query["sql"]]
    assert counting
    assert all("LIMIT 61" in sql for sql in counting)
    assert "more than 60" in response.content.decode()
    assert staff_admin.get(page(Message, "changelist"), {"p": "3"}).status_code == 302
