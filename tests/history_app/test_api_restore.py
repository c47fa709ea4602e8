"""Coming back: one call gives all that an agent needs, and says by name what is missing."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from config.shared.api.renderers import dump_answer
from config.shared.callers import Caller
from config.shared.errors import Conflict, NotFound
from history_app.models import Message, Subtask
from history_app.selectors.restore import session_restore
from sessions_app.models import KnowledgeSource, SessionDeletion
from tests.factories import (
    make_knowledge_source,
    make_message,
    make_session,
    make_session_state,
    make_subtask,
    make_task,
    make_tool_call,
    make_user_config,
    make_workflow,
)

pytestmark = pytest.mark.django_db
RESTORE = "/api/sessions/s1/restore/"


@pytest.fixture
def session(project):
    return make_session(
        project=project,
        session_id="s1",
        user_id="ada",
        title="Parcel",
        workflow=make_workflow(project=project, workflow_id="react"),
        agent_config={"model": "gpt-4o", "knowledge_sources": ["Handbook"]},
        external_ids={"ragflow": "r-1"},
        context={"secret": "x"},
    )


def _filled(session, now, size):
    """Give the session so many of everything, open and done."""
    make_session_state(session=session, current_step="old")
    make_session_state(session=session, version=2, current_step="ask", workflow_name="react", data={"n": 1})
    make_user_config(project=session.project, user_id="ada", preferences={"language": "zh"})
    make_knowledge_source(project=session.project, source_name="Handbook")
    for number in range(size):
        make_message(session=session, content=f"m{number}")
        at = now + timedelta(seconds=number)
        task = make_task(session=session, user_input=f"open {number}", status="in_progress", created_at=at)
        make_subtask(task=task, subtask_index=1, description="second")
        make_subtask(task=task, subtask_index=0, description="first")
        make_subtask(task=make_task(session=session, status="completed"))
        make_tool_call(session=session, tool_name=f"call {number}", status="pending", timestamp=at)
        make_tool_call(session=session, tool_name="answered")


def test_one_call_gives_all_that_an_agent_needs(agent, session, now):
    _filled(session, now, 3)
    make_message(session=session, content=None, structured_content=[{"type": "text", "text": "parts"}])
    body = agent.get(RESTORE, {"last": 2}).json()
    assert (body["session"]["title"], body["session"]["workflow"], body["session"]["message_count"]) == (
        "Parcel",
        "react",
        4,
    )
    assert body["session"]["agent_config"]["model"] == "gpt-4o"
    assert body["session"]["external_ids"] == {"ragflow": "r-1"}
    assert (body["state"]["version"], body["state"]["current_step"], body["state"]["data"]) == (2, "ask", {"n": 1})
    assert [(row["sequence"], row["content"]) for row in body["messages"]] == [
        (3, "m2"),
        (4, [{"type": "text", "text": "parts"}]),
    ]
    assert [task["user_input"] for task in body["open_tasks"]] == ["open 0", "open 1", "open 2"]
    assert [step["description"] for step in body["open_tasks"][0]["subtasks"]] == ["first", "second"]
    assert [call["tool_name"] for call in body["pending_tool_calls"]] == ["call 0", "call 1", "call 2"]
    assert (body["user"]["preferences"], "api_keys" in body["user"]) == ({"language": "zh"}, False)
    assert [node["id"] for node in body["workflow"]["nodes"]] == ["think", "act"]
    assert [source["source_name"] for source in body["knowledge_sources"]] == ["Handbook"]
    assert body["verdict"] == {"complete": True, "missing": []}


def test_what_a_session_never_had_is_not_missing(agent, project):
    make_session(project=project, session_id="s1")
    body = agent.get(RESTORE).json()
    assert (body["state"], body["user"], body["workflow"], body["messages"]) == (None, None, None, [])
    assert body["verdict"] == {"complete": True, "missing": []}


def test_messages_beyond_the_last_ones_are_not_missing(agent, session, now, settings):
    _filled(session, now, 5)
    settings.HISTORY_WINDOW = 3
    body = agent.get(RESTORE).json()
    assert [row["sequence"] for row in body["messages"]] == [3, 4, 5]
    assert body["verdict"]["complete"] is True


def test_a_message_that_was_removed_on_purpose_is_not_missing(owner, session, now):
    _filled(session, now, 5)
    assert owner.delete(f"/api/messages/{Message.objects.get(sequence=4).pk}/").status_code == 204
    body = owner.get(RESTORE, {"last": 4}).json()
    assert [row["sequence"] for row in body["messages"]] == [1, 2, 3, 5]
    assert body["verdict"]["complete"] is True


def _missing(agent):
    verdict = agent.get(RESTORE).json()["verdict"]
    assert verdict["complete"] is False
    return [(each["part"], each["name"]) for each in verdict["missing"]]


def test_the_verdict_names_what_is_missing(agent, session, now):
    _filled(session, now, 4)
    KnowledgeSource.objects.update(deleted_at=now)
    gone = make_knowledge_source(project=session.project, source_name="Archive", deleted_at=now)
    session.settings = {"knowledge_sources": [gone.pk, {"name": "Nowhere"}, 987654321, None, True]}
    session.metadata = {"placeholder": True}
    session.save()
    make_session_state(session=session, version=3, workflow_name="unheard-of")
    Message.objects.filter(session=session, sequence__in=[2, 3]).delete()
    assert _missing(agent) == [
        ("session", "s1"),
        ("workflow", "unheard-of"),
        ("knowledge_sources", str(gone.pk)),
        ("knowledge_sources", "987654321"),
        ("knowledge_sources", "Handbook"),
        ("knowledge_sources", "Nowhere"),
        ("messages", "2 of the last 4"),
    ]
    reasons = {each["name"]: each["reason"] for each in agent.get(RESTORE).json()["verdict"]["missing"]}
    assert "deleted" in reasons["Handbook"]
    assert "no such" in reasons["Nowhere"]


def test_a_workflow_that_was_only_ever_named_is_missing(agent, owner):
    owner.post("/api/sessions/", {"session_id": "s1", "workflow": "react"})
    assert _missing(agent) == [("workflow", "react")]
    owner.put("/api/workflows/react/", {"nodes": [{"id": "think"}]})
    assert agent.get(RESTORE).json()["verdict"]["complete"] is True


def test_another_projects_rows_are_not_restored(agent, outsider, session, other_project):
    make_user_config(project=other_project, user_id="ada")
    make_knowledge_source(project=other_project, source_name="Handbook")
    body = agent.get(RESTORE).json()
    assert (body["user"], body["knowledge_sources"]) == (None, [])
    assert outsider.get(RESTORE).status_code == 404


def test_a_reader_sees_no_contents(reader, session, now):
    _filled(session, now, 1)
    body = reader.get(RESTORE).json()
    hidden = (body["session"]["context"], body["state"]["data"], body["messages"][0]["content"])
    assert {*hidden, body["open_tasks"][0]["user_input"], body["open_tasks"][0]["subtasks"][0]["description"]} == {
        "********"
    }
    assert {body["pending_tool_calls"][0]["tool_input"], body["user"]["preferences"]} == {"********"}
    assert body["state"]["current_step"] == "ask"


@pytest.mark.parametrize("last", ["0", "1001", "-1", "ten", "1.5", "٣"])
def test_last_is_a_number_of_messages(agent, session, last):
    answer = agent.get(RESTORE, {"last": last})
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, "/last")


def test_as_many_queries_whatever_the_session_holds(agent, session, now):
    _filled(session, now, 1)
    agent.get(RESTORE)
    with CaptureQueriesContext(connection) as small:
        agent.get(RESTORE)
    for number in range(60):
        make_message(session=session, content=f"more {number}")
        make_subtask(task=make_task(session=session))
        make_tool_call(session=session, status="pending")
    with CaptureQueriesContext(connection) as large:
        body = agent.get(RESTORE).json()
    assert (len(body["messages"]), len(body["open_tasks"]), len(body["pending_tool_calls"])) == (61, 61, 61)
    assert Subtask.objects.count() == 63
    # Seven, and the key.
    assert len(large) == len(small) == 8


def test_numbers_that_were_removed_cost_one_more_query(owner, session, now):
    _filled(session, now, 30)
    Message.objects.filter(session=session, sequence__gte=5, sequence__lt=28).delete()
    owner.get(RESTORE)
    with CaptureQueriesContext(connection) as queries:
        body = owner.get(RESTORE, {"last": 6}).json()
    assert [row["sequence"] for row in body["messages"]] == [2, 3, 4, 28, 29, 30]
    assert len(queries) == 9


def _odd(session, now):
    """Give the session documents whose texts could come out in more than one way, in every part."""
    odd = {"small": 1e-07, "great": 1e300, "text": 'a "quote"\n\u00fc \U0001f600 pre-e+1', "none": None, "zero": -0.0}
    _filled(session, now, 3)
    for name in ("context", "settings", "metadata", "workflow_config", "thread_configs", "external_ids"):
        setattr(session, name, {"of": name, **odd})
    session.tags, session.expires_at = ["one", "e-mail"], now + timedelta(microseconds=17)
    session.save()
    make_session_state(session=session, version=3, workflow_name="react", data=odd, errors=[odd], start_time=now)
    make_message(session=session, content=None, structured_content=[odd], metadata=odd)
    make_subtask(task=make_task(session=session, results=odd), context=odd, validation_report=odd)
    make_tool_call(session=session, status="pending", tool_input="text", metadata=odd)
    make_tool_call(session=session, status="pending", tool_input=None)


def test_the_answer_is_the_value_that_python_gets_written_as_every_answer(agent, session, now):
    _odd(session, now)
    caller = Caller(kind="key", name="a", role="agent", project_ids=frozenset({session.project_id}), project_id=None)
    value = session_restore(caller=caller, session_id="s1", last=100)
    assert value["state"]["errors"][0]["great"] == 1e300
    assert (value["session"]["expires_at"] - now, value["messages"][0]["timestamp"]) == (
        timedelta(microseconds=17),
        now,
    )
    assert agent.get(RESTORE).content == dump_answer(value)


def test_an_integer_beyond_64_bits_comes_back_exactly(agent, session, now):
    make_session_state(session=session, data={"n": 2**70, "small": 1e-07}, errors=[2**70])
    make_message(session=session, metadata={"n": 2**70})
    body = agent.get(RESTORE).json()
    assert (body["state"]["data"], body["state"]["errors"]) == ({"n": 2**70, "small": 1e-07}, [2**70])
    assert body["messages"][0]["metadata"] == {"n": 2**70}


def test_of_two_projects_with_the_same_id_one_is_to_be_said(session, other_project):
    make_session(project=other_project, session_id="s1", title="Theirs")
    seen = {"kind": "staff", "name": "a", "role": "admin", "project_id": None}
    with pytest.raises(Conflict):
        session_restore(caller=Caller(**seen, project_ids=None), session_id="s1", last=1)
    with pytest.raises(NotFound):
        session_restore(caller=Caller(**seen, project_ids=frozenset()), session_id="s1", last=1)
    theirs = Caller(**seen, project_ids=frozenset({other_project.pk}))
    assert session_restore(caller=theirs, session_id="s1", last=1)["session"]["title"] == "Theirs"


def test_a_session_that_is_being_deleted_is_gone(agent, session, now):
    SessionDeletion.objects.create(session=session, former_id="s1", requested_at=now)
    assert agent.get(RESTORE).status_code == 404
