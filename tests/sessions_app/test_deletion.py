"""Deleting a session: gone at once for every reader, removed in batches, and deleted in other systems until done."""

import json
import re
import threading
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from django.core.checks import run_checks
from django.utils import timezone

from config.shared.callers import SYSTEM
from config.shared.errors import NotFound
from history_app.models import Message, Subtask, Task, ToolCall
from sessions_app.models import AuditEntry, ExternalDeletion, Session, SessionDeletion, WorkflowRun
from sessions_app.services import deletion
from sessions_app.services.deletion import sessions_purge
from sessions_app.services.drafts import StateDraft
from sessions_app.services.external_deletions import external_deletions_run
from sessions_app.services.sessions import session_delete
from sessions_app.services.states import state_save
from tests import factories
from tests.admin_rows import page
from tests.factories import make_message, make_session

pytestmark = pytest.mark.django_db


@pytest.fixture
def small_batches(monkeypatch):
    """Let ten rows be many."""
    monkeypatch.setattr(deletion, "BATCH", 4)


def full_session(**fields) -> Session:
    """Make a session with rows of every kind."""
    session = make_session(**fields)
    for _ in range(5):
        make_message(session=session)
    task = factories.make_task(session=session)
    factories.make_subtask(task=task)
    factories.make_tool_call(session=session, task=task)
    factories.make_llm_call(session=session)
    factories.make_token_usage(session=session)
    factories.make_error(session=session)
    factories.make_metric(session=session)
    factories.make_session_state(session=session)
    factories.make_label(session=session)
    factories.make_residency(session=session)
    factories.make_workflow_run(session=session)
    return session


LISTS = ["sessions", "messages", "tasks", "subtasks", "tool-calls", "llm-calls", "token-usage", "errors", "metrics"]


def test_a_large_session_is_gone_for_every_reader_at_once(owner, staff_admin, small_batches):
    full_session(session_id="big")
    assert all(owner.get(f"/api/{name}/").json()["results"] for name in LISTS)
    assert owner.delete("/api/sessions/big/").status_code == 204
    assert Message.objects.exists()
    for name in LISTS:
        assert owner.get(f"/api/{name}/").json()["results"] == [], name
    for path in ("", "state/", "messages/", "checkpoints/", "timeline/"):
        assert owner.get(f"/api/sessions/big/{path}").status_code == 404, path
    status = owner.get("/api/sessions/status/", {"detail": "true"}).json()
    assert (status["total"], status["resident_agents"], status["residencies"]) == (0, 0, [])
    assert owner.delete("/api/sessions/big/").status_code == 404
    for model in (Session, Message, Task, ToolCall):
        assert b"big" not in staff_admin.get(page(model, "changelist")).content.replace(b"bigint", b"")


def test_its_id_is_free_and_the_new_session_has_nothing_of_the_old(owner, small_batches):
    full_session(session_id="big")
    assert owner.delete("/api/sessions/big/").status_code == 204
    assert owner.post("/api/sessions/", {"session_id": "big"}).status_code == 201
    owner.post("/api/sessions/big/messages/", {"role": "user", "content": "new"})
    sessions_purge()
    assert [row["content"] for row in owner.get("/api/messages/").json()["results"]] == ["new"]
    assert Session.objects.count() == 1


def test_the_rest_is_removed_in_batches_that_a_kill_only_delays(project, now, small_batches):
    session, other = full_session(session_id="big"), full_session(session_id="other")
    before = {model: model.objects.filter(session=other).count() for model in (Message, Task, ToolCall, WorkflowRun)}
    session_delete(session=session, caller=SYSTEM, now=now)
    assert sessions_purge(batch=3, at_most=1) == 0
    left = Message.objects.filter(session=session).count()
    assert sessions_purge(batch=3) == 1
    assert left > 0
    assert not SessionDeletion.objects.exists()
    assert not Session.objects.filter(pk=session.pk).exists()
    assert WorkflowRun.objects.filter(session=None).count() == 1
    assert Subtask.objects.count() == 1
    assert {model: model.objects.filter(session=other).count() for model in before} == before
    assert sessions_purge() == 0


def test_no_batch_is_larger_than_it_may_be(project, now, small_batches, monkeypatch):
    session = full_session()
    session_delete(session=session, caller=SYSTEM, now=now)
    sizes, let_go = [], deletion._let_go
    monkeypatch.setattr(deletion, "_let_go", lambda relation, pks: (sizes.append(len(pks)), let_go(relation, pks)))
    while not deletion._step(session.pk, 3):
        assert sum(sizes) <= 3
        sizes.clear()
    assert sum(sizes) <= 3


def test_a_writer_that_holds_the_deleted_session_is_told_so(project, now, small_batches):
    session = full_session()
    session_delete(session=session, caller=SYSTEM, now=now)
    with pytest.raises(NotFound):
        state_save(session=session, draft=StateDraft(), now=now)
    with pytest.raises(NotFound):
        session_delete(session=session, caller=SYSTEM, now=now)


def test_a_small_session_leaves_nothing_behind(owner):
    full_session(session_id="small")
    assert owner.delete("/api/sessions/small/").status_code == 204
    assert not any(model.objects.exists() for model in (Session, Message, Task, Subtask, ToolCall, SessionDeletion))
    assert AuditEntry.objects.get(action="session.delete").changes["messages"] == 5


# Other systems


class Ragflow:
    """A server that answers as RAGFlow does, or as it is told to."""

    def __init__(self) -> None:
        self.sessions = {("chats", "c1"): {"r1", "r2"}, ("agents", "a1"): {"r3"}}
        self.seen: list[tuple[str, dict]] = []
        self.answers: list[tuple[int, bytes, dict]] = []
        self.silent = threading.Event()

    def reply(self, path: str, key: str | None, body: dict) -> tuple[int, bytes, dict]:
        self.seen.append((path, body))
        if self.answers:
            return self.answers.pop(0)
        if key != "Bearer the-key":
            return 200, json.dumps({"code": 109, "message": f"Authentication error: {key} is invalid!"}).encode(), {}
        _root, _api, _v1, kind, owner, _sessions = path.split("/")
        held = self.sessions.get((kind, owner))
        if held is None:
            return 200, json.dumps({"code": 102, "message": "You don't own the chat"}).encode(), {}
        missing = [each for each in body["ids"] if each not in held]
        if missing:
            told = f"The chat doesn't own the session {missing[0]}"
            return 200, json.dumps({"code": 102, "message": told}).encode(), {}
        held.difference_update(body["ids"])
        return 200, b'{"code": 0}', {}


@pytest.fixture
def ragflow(settings, project):
    """RAGFlow, running; the settings lead to it."""
    system = Ragflow()

    class Handler(BaseHTTPRequestHandler):
        def do_DELETE(self):
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            status, answer, headers = system.reply(self.path, self.headers["Authorization"], body)
            if status == 0:
                system.silent.wait(60)
                return
            self.send_response(status)
            for name, value in {"Content-Length": str(len(answer)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *args):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    settings.CONNECTORS, settings.RAGFLOW_API_KEY = ["ragflow"], "the-key"
    settings.RAGFLOW_URL, settings.RAGFLOW_CHAT_ID = f"http://127.0.0.1:{server.server_port}/", "c1"
    yield system
    system.silent.set()
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(
    ("stated", "left"),
    [
        ("r1", {"r2", "r3"}),
        ({"chat_id": "c1", "session_id": "r2"}, {"r1", "r3"}),
        ({"agent_id": "a1", "session_id": "r3"}, {"r1", "r2"}),
        (["r1", {"chat_id": "c1", "session_id": "r2"}], {"r3"}),
        ("not there", {"r1", "r2", "r3"}),
    ],
)
def test_sessions_in_ragflow_are_deleted_with_theirs_here(owner, ragflow, stated, left):
    owner.put("/api/sessions/s1/", {"external_ids": {"ragflow": stated, "crm": "42"}})
    assert owner.delete("/api/sessions/s1/").status_code == 204
    rows = ExternalDeletion.objects.all()
    assert {row.connector for row in rows} == {"ragflow"}
    assert external_deletions_run(clock=timezone.now) == len(rows)
    assert set().union(*ragflow.sessions.values()) == left
    assert all(row.done_at and not row.last_error for row in ExternalDeletion.objects.all())
    assert all(body["ids"] for _path, body in ragflow.seen)
    assert external_deletions_run(clock=timezone.now) == 0


FAULTS = [
    ((500, b"oops", {}), "HTTP 500: the answer is no JSON"),
    ((502, b'{"detail": "bad gateway"}', {}), "HTTP 502, code None"),
    ((200, b"<html>", {}), "no JSON"),
    ((200, b"[" * 200_000, {}), "no JSON"),
    ((200, b"[1]", {}), "code None"),
    ((200, b"x" * 2_000_000, {}), "too large"),
    ((302, b"{}", {"Location": "http://127.0.0.1:9/"}), "redirect"),
    ((200, b'{"code": 109, "message": "the-key is invalid"}', {}), "code 109: \\*\\*\\* is invalid"),
    ((200, b"{", {"Content-Length": "10"}), "No answer"),
    ((0, b"", {}), "time-out"),
]


@pytest.mark.parametrize(("answer", "told"), FAULTS, ids=[told for _answer, told in FAULTS])
def test_what_fails_is_tried_again_until_it_is_done(ragflow, now, settings, answer, told):
    settings.CONNECTOR_TIMEOUT = 0.5 if answer[0] == 0 else 10

    def run(at) -> int:
        return external_deletions_run(clock=lambda: at)

    row = factories.make_external_deletion(external_id="r1", next_attempt_at=now)
    ragflow.answers = [answer, answer]
    at, pauses = now, []
    for attempt in (1, 2):
        assert run(at) == 0
        row.refresh_from_db()
        assert row.attempts == attempt
        assert re.search(told, row.last_error)
        assert "the-key" not in row.last_error
        pauses.append(row.next_attempt_at - at)
        assert run(at) == 0
        at = row.next_attempt_at
    assert pauses == [timedelta(seconds=30), timedelta(seconds=60)]
    assert run(at) == 1
    row.refresh_from_db()
    assert (row.attempts, row.done_at, row.next_attempt_at, row.last_error) == (3, at, None, "")
    assert "r1" not in ragflow.sessions["chats", "c1"]


@pytest.mark.parametrize("shape", [5, [], {"chat_id": "c1"}, {"session_id": ""}, {"session_id": "r1", "chat_id": 7}])
def test_what_names_no_session_is_said_to_and_asks_nothing(project, ragflow, now, shape):
    row = factories.make_external_deletion(external_id=shape, next_attempt_at=now)
    assert external_deletions_run(clock=lambda: now) == 0
    row.refresh_from_db()
    assert "RAGFlow" in row.last_error
    assert ragflow.seen == []


def test_a_server_that_is_away_is_tried_again(project, ragflow, now, settings):
    settings.RAGFLOW_URL = "http://127.0.0.1:9"
    row = factories.make_external_deletion(next_attempt_at=now)
    assert external_deletions_run(clock=lambda: now) == 0
    row.refresh_from_db()
    assert row.last_error == "No answer: ConnectionRefusedError."


def test_a_connector_that_is_not_enabled_waits(project, ragflow, now, settings):
    settings.CONNECTORS = []
    row = factories.make_external_deletion(external_id="r1", next_attempt_at=now)
    assert external_deletions_run(clock=lambda: now) == 0
    settings.CONNECTORS = ["ragflow"]
    assert external_deletions_run(clock=lambda: now) == 1
    row.refresh_from_db()
    assert row.attempts == 1


def test_staff_may_have_it_tried_at_once(staff_admin, analyst, ragflow, now):
    row = factories.make_external_deletion(external_id="r1", next_attempt_at=now + timedelta(days=9000))
    chosen = {"action": "retry", "_selected_action": [row.pk]}
    analyst.post(page(ExternalDeletion, "changelist"), chosen)
    row.refresh_from_db()
    assert row.next_attempt_at == now + timedelta(days=9000)
    assert staff_admin.post(page(ExternalDeletion, "changelist"), chosen).status_code == 302
    assert external_deletions_run(clock=timezone.now) == 1
    assert AuditEntry.objects.latest("number").action == "external_deletion.retry"


def test_connectors_that_cannot_work_are_named_at_the_start(settings):
    settings.CONNECTORS = ["ragflow", "nowhere"]
    faults = {fault.id: fault for fault in run_checks(tags=["agentledger"])}
    assert "'nowhere'" in faults["agentledger.E010"].msg
    assert "agentledger.E011" in faults
    settings.CONNECTORS, settings.RAGFLOW_URL, settings.RAGFLOW_API_KEY = ["ragflow"], "https://r.example", "k"
    assert not {"agentledger.E010", "agentledger.E011"} & {fault.id for fault in run_checks(tags=["agentledger"])}
