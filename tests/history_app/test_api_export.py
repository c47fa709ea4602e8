"""A session as a file over the API: whole, streamed, behind the wall, and taken in again as it was."""

import csv
import io
import json

import pytest

from config.shared.errors import NotFound
from history_app.api.export_formats import COLUMNS
from history_app.models import Message, TokenUsage
from history_app.selectors import record_pages
from sessions_app.models import Session, SessionActivity
from sessions_app.services.sessions import session_delete
from tests.factories import make_message, make_session, make_session_state, make_workflow
from tests.history_app.records import TIME, record, write

pytestmark = pytest.mark.django_db

PATH = "/api/sessions/s-1/export/"
KINDS = ("message", "llm_request", "llm_response", "token_usage", "cost", "tool_call", "error", "metric")
STEPS = [{"description": "Ask", "context": {"tries": 1}}, {"description": "Tell", "status": "failed"}]
TASK = {"record_type": "task", "session_id": "s-1", "record_id": "task-1", "timestamp": TIME, "subtasks": STEPS}
DOCUMENTS = {"tool_input", "tool_output", "messages", "parameters", "response", "token_usage", "metadata", "results"}
TASK |= {"user_input": "Find it.", "status": "in_progress", "results": [1, None], "metadata": {"k": "v"}}


@pytest.fixture
def work(project, now):
    """A session with two records of every type, with a task, and one in another session."""
    records = [
        record(kind, f"{kind}-{turn}", metadata={"turn": turn, "z": -0.0, "big": 2**63 - 1})
        | ({"request_id": f"call-{turn}"} if kind.startswith("llm") else {})
        for turn in range(2)
        for kind in KINDS
    ]
    odd = [
        record("message", "parts", content=[{"type": "text", "text": "看图"}], timestamp="2026-01-01T00:00:00.000001Z"),
        record("message", "empty", content=None, role="assistant"),
        record("tool_call", "of-task", task="task-1", tool_input=None, tool_output=[], execution_time=0.1),
        record("llm_response", "alone", request_id="call-x", response=None, model="other"),
        record("cost", "cost-alone", total_tokens=5, total_cost="0.000000000000000000000123"),
        record("token_usage", "own-cost", total_tokens=6, reported_cost="1.50", source="batch"),
        record("message", "elsewhere", session_id="s-2"),
    ]
    write(project, [TASK, *records, *odd], now)


def content(answer):
    """Return the whole body of a streamed answer."""
    assert answer.status_code == 200, answer.content
    assert answer.streaming
    return b"".join(answer)


def lines_of(body):
    return [json.loads(line) for line in body.splitlines()]


def _exported(client, form):
    return content(client.get(PATH, {"format": form}))


def _numbers(project):
    rows = Message.objects.filter(project=project, session__session_id="s-1").order_by("sequence")
    return list(rows.values_list("sequence", "record_id"))


def test_the_exported_lines_give_the_same_session_elsewhere(owner, outsider, project, other_project, work):
    Message.objects.filter(record_id="message-1", project=project).delete()
    body = _exported(owner, "jsonl")
    answer = outsider.post("/api/records/", body, content_type="application/x-ndjson").json()
    assert answer == {"accepted": 22, "duplicates": 0, "rejected": []}
    assert _exported(outsider, "jsonl") == body
    assert _numbers(other_project) == _numbers(project) == [(1, "message-0"), (3, "parts"), (4, "empty")]
    joined = TokenUsage.objects.filter(project=other_project, cost_record_id__isnull=False)
    assert set(joined.values_list("record_id", "cost_record_id")) == {
        ("token_usage-0", "cost-0"),
        ("token_usage-1", "cost-1"),
        ("cost:cost-alone", "cost-alone"),
    }


def test_the_exported_lines_bring_back_an_emptied_session(owner, project, work):
    body = _exported(owner, "jsonl")
    owner.delete("/api/sessions/s-1/")
    owner.post("/api/records/", body, content_type="application/x-ndjson")
    assert _exported(owner, "jsonl") == body
    again = owner.post("/api/records/", body, content_type="application/x-ndjson").json()
    assert (again["accepted"], again["rejected"]) == (0, [])


def test_lines_hold_what_was_recorded_and_nothing_that_was_worked_out(owner, project, now, settings):
    settings.AGENTLEDGER_PRICE_FUNCTION = "tests.history_app.test_services_ingest_costs.price_for_tests"
    write(project, [record("token_usage", "u-1")], now)
    assert TokenUsage.objects.get().cost_status == "computed"
    assert "computed_cost" not in lines_of(_exported(owner, "jsonl"))[0]
    [shown] = json.loads(_exported(owner, "json"))["records"]
    assert shown["computed_cost"] == format(TokenUsage.objects.get().cost, "f")


def test_one_document_holds_the_session_its_state_its_tasks_and_its_records(owner, project, work):
    session = Session.objects.get(session_id="s-1")
    Session.objects.filter(pk=session.pk).update(workflow=make_workflow(workflow_id="support"), title="标题")
    make_session_state(session=session, version=1, current_step="ask")
    make_session_state(session=session, version=2, current_step="tell")
    found = json.loads(_exported(owner, "json"))
    assert found["session"] == owner.get("/api/sessions/s-1/").json()
    assert found["state"] == owner.get("/api/sessions/s-1/state/").json()
    assert [(task["record_id"], len(task["subtasks"])) for task in found["tasks"]] == [("task-1", 2)]
    assert found["total_records"] == 1 + len(found["records"]) == 23
    timeline = owner.get("/api/sessions/s-1/timeline/").json()["results"]
    assert sorted(found["records"], key=str) == sorted(timeline, key=str)


def test_the_table_has_a_column_for_every_field(owner, project, work):
    fields = {name for line in json.loads(_exported(owner, "json"))["records"] + [TASK] for name in line}
    assert fields <= set(COLUMNS)
    rows = list(csv.DictReader(io.StringIO(_exported(owner, "csv").decode())))
    assert len(rows) == 23
    assert list(rows[0]) == list(COLUMNS)
    by_id = {row["record_id"]: row for row in rows}
    for line in lines_of(_exported(owner, "jsonl")):
        row = by_id[line["record_id"]]
        assert {name: _cell(name, value) for name, value in line.items()} == {name: row[name] for name in line}
    assert json.loads(by_id["parts"]["content"]) == [{"type": "text", "text": "看图"}]
    assert by_id["of-task"]["task"] == "task-1"
    assert by_id["token_usage-0"]["prompt_tokens"] == "100"


def _cell(name, value):
    if value is None:
        return ""
    if name in DOCUMENTS or isinstance(value, list):
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return str(value)


@pytest.mark.parametrize("sign", ["=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠"])
def test_no_cell_of_the_table_is_a_formula(owner, project, now, sign):
    text = f'{sign}HYPERLINK("http://evil.example";"a,b")'
    own = [record("message", text, content=text), record("error", "e", error_message=f"x;{text}", stack_trace=text)]
    numbers = [record("metric", "m", metric_type=text, metric_value=-2.5)]
    write(project, [*own, *numbers], now)
    body = _exported(owner, "csv").decode()
    message, error, metric = csv.DictReader(io.StringIO(body, newline=""))
    assert message["content"] == message["record_id"] == error["stack_trace"] == metric["metric_type"] == f"'{text}"
    assert error["error_message"] == f"x;{text}"
    assert metric["metric_value"] == "-2.5"
    assert ';"' not in body.replace(';""', "")


@pytest.mark.parametrize(
    ("form", "content_type"),
    [("json", "application/json"), ("jsonl", "application/x-ndjson"), ("csv", "text/csv; charset=utf-8")],
)
def test_the_file_has_a_name_and_a_type(owner, project, work, form, content_type):
    for answer in (owner.get(PATH, {"format": form}), owner.head(f"{PATH}?format={form}")):
        assert answer["Content-Type"] == content_type
        assert answer["Content-Disposition"] == f'attachment; filename="session-s-1.{form}"'
    assert owner.head(PATH).content == b""


@pytest.mark.parametrize(
    ("session_id", "name"),
    [
        ("../../etc/passwd", 'filename="session-etc_passwd.json"'),
        ('a"b\\c;d', 'filename="session-a_b_c_d.json"'),
        ("a\r\nSet-Cookie: x=1", 'filename="session-a_Set-Cookie_x_1.json"'),
        ("订单 7", "filename*=utf-8''session-%E8%AE%A2%E5%8D%95_7.json"),
        ("…", 'filename="session-.json"'),
    ],
)
def test_an_odd_id_makes_a_harmless_file_name(owner, project, session_id, name):
    from django.urls import reverse

    make_session(session_id=session_id)
    answer = owner.get(reverse("session-export", kwargs={"session_id": session_id}))
    assert answer["Content-Disposition"] == f"attachment; {name}"
    assert json.loads(content(answer))["session"]["session_id"] == session_id


def test_an_export_is_behind_the_wall(outsider, anonymous, owner, work):
    assert outsider.get(PATH).status_code == 404
    assert anonymous.get(PATH).status_code == 401
    assert owner.get("/api/sessions/nobody/export/").status_code == 404


@pytest.mark.parametrize(("parameters", "name"), [({"format": "xml"}, "format"), ({"start": "2026-01-01"}, "start")])
def test_a_bad_parameter_is_named(owner, work, parameters, name):
    answer = owner.get(PATH, parameters)
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, f"/{name}")


@pytest.mark.parametrize("form", ["json", "jsonl", "csv"])
def test_a_reader_gets_contents_masked(reader, project, work, now, form):
    words = ["Where is my order?", "看图", "Find it.", "Ask", "Timeout detail", "found", "hidden context"]
    write(project, [record("error", "e-9", error_message="Timeout detail", stack_trace="Timeout detail")], now)
    session = Session.objects.get(session_id="s-1")
    session.context = {"secret": "hidden context"}
    session.save()
    make_session_state(session=session, data={"secret": "hidden context"})
    body = _exported(reader, form).decode()
    assert "********" in body
    assert not [word for word in words if word in body]
    assert "Timeout" in body


def test_small_pages_and_large_ones_give_the_same_file(owner, project, work, monkeypatch):
    whole = {form: _exported(owner, form) for form in ("jsonl", "csv")}
    monkeypatch.setattr(record_pages, "PAGE_RECORDS", 2)
    assert {form: _exported(owner, form) for form in whole} == whole
    monkeypatch.setattr(record_pages, "PAGE_RECORDS", 500)
    monkeypatch.setattr(record_pages, "PAGE_BYTES", 1)
    assert {form: _exported(owner, form) for form in whole} == whole


def test_a_page_ends_where_it_gets_large(project, now):
    write(project, [record("message", f"m-{n}", content="x" * 900_000) for n in range(5)], now)
    session = Session.objects.get(session_id="s-1")
    kind = next(kind for kind in record_pages.EXPORTED if kind.name == "message")
    assert [len(page) for page in record_pages.record_pages(session, kind)] == [2, 2, 1]


def test_a_page_takes_a_fixed_number_of_queries(owner, project, now, django_assert_num_queries):
    owner.get(PATH)
    # Key and session, the last key of each of nine types, and whether the session is still there.
    fixed = 2 + 9 + 1
    for count, queries in ((1, 2), (500, 2), (501, 4)):
        write(project, [record("message", f"m-{n}") for n in range(count)], now)
        with django_assert_num_queries(fixed + queries):
            _exported(owner, "jsonl")


def test_an_export_of_a_session_in_which_nothing_happened(owner, project):
    make_session(session_id="s-1")
    assert _exported(owner, "jsonl") == b""
    assert _exported(owner, "csv").decode().split("\r\n") == [",".join(f'"{name}"' for name in COLUMNS), ""]
    found = json.loads(_exported(owner, "json"))
    assert (found["state"], found["tasks"], found["records"], found["total_records"]) == (None, [], [], 0)


def test_what_is_appended_meanwhile_neither_tears_nor_prolongs_the_file(owner, project, now, monkeypatch):
    monkeypatch.setattr(record_pages, "PAGE_RECORDS", 5)
    write(project, [record("message", f"m-{n:03}") for n in range(20)], now)
    write(project, [record("cost", "c-1")], now)
    pieces = iter(owner.get(PATH, {"format": "jsonl"}))
    body = next(pieces)
    for number, piece in enumerate(pieces):
        body += piece
        # Every page is followed by as many new messages; the cost joins a use that comes now.
        write(project, [record("message", f"new-{number}-{n}") for n in range(5)], now)
        write(project, [record("token_usage", f"u-{number}")], now)
    ids = [line["record_id"] for line in lines_of(body) if line["record_type"] in ("message", "cost")]
    assert ids == [*(f"m-{n:03}" for n in range(20)), "c-1"]


def test_a_session_deleted_meanwhile_breaks_the_file_off(owner, project, now, monkeypatch):
    from config.shared.callers import SYSTEM

    monkeypatch.setattr(record_pages, "PAGE_RECORDS", 5)
    write(project, [record("message", f"m-{n}") for n in range(20)], now)
    pieces = iter(owner.get(PATH, {"format": "jsonl"}))
    next(pieces)
    session_delete(session=Session.objects.get(session_id="s-1"), caller=SYSTEM, now=now)
    write(project, [record("message", "of the next one")], now)
    with pytest.raises(NotFound):
        list(pieces)


def test_messages_stand_in_the_order_of_their_numbers(owner, project):
    session = make_session(session_id="s-1")
    for number in (3, 1, 2):
        make_message(session=session, record_id=f"m{number}", timestamp=f"2026-03-0{number}T00:00:00Z")
    lines = lines_of(_exported(owner, "jsonl"))
    assert [(line["sequence"], line["record_id"]) for line in lines] == [(1, "m3"), (2, "m1"), (3, "m2")]
    assert SessionActivity.objects.get().last_sequence == 3
