"""Bad input: a 4xx problem that names the place, the same on every database, and never a 500."""

import gzip
import json

import pytest

from sessions_app.models import Session, SessionState
from tests.factories import make_session

pytestmark = pytest.mark.django_db

TOO_BIG = 2**63
DEEP = "[" * 100_000 + "]" * 100_000

FIELDS = [
    ("/api/sessions/", {"session_id": ""}, "/session_id"),
    ("/api/sessions/", {"session_id": 5}, "/session_id"),
    ("/api/sessions/", {"session_id": None}, "/session_id"),
    ("/api/sessions/", {"session_id": "x" * 256}, "/session_id"),
    ("/api/sessions/", {"user_id": "x" * 256}, "/user_id"),
    ("/api/sessions/", {"user_id": ["u"]}, "/user_id"),
    ("/api/sessions/", {"title": 5}, "/title"),
    ("/api/sessions/", {"title": True}, "/title"),
    ("/api/sessions/", {"title": "x" * 501}, "/title"),
    ("/api/sessions/", {"status": "dancing"}, "/status"),
    ("/api/sessions/", {"status": 5}, "/status"),
    ("/api/sessions/", {"status": {}}, "/status"),
    ("/api/sessions/", {"tags": "vip"}, "/tags"),
    ("/api/sessions/", {"tags": [5]}, "/tags/0"),
    ("/api/sessions/", {"tags": ["ok", "x" * 256]}, "/tags/1"),
    ("/api/sessions/", {"tags": [""]}, "/tags/0"),
    ("/api/sessions/", {"metadata": []}, "/metadata"),
    ("/api/sessions/", {"metadata": "x"}, "/metadata"),
    ("/api/sessions/", {"metadata": {"a": {"b": [1, TOO_BIG]}}}, "/metadata/a/b/1"),
    ("/api/sessions/", {"metadata": {"a/b~c": -TOO_BIG - 1}}, "/metadata/a~1b~0c"),
    ("/api/sessions/", {"ttl_seconds": -1}, "/ttl_seconds"),
    ("/api/sessions/", {"ttl_seconds": "60"}, "/ttl_seconds"),
    ("/api/sessions/", {"ttl_seconds": 1.5}, "/ttl_seconds"),
    ("/api/sessions/", {"ttl_seconds": True}, "/ttl_seconds"),
    ("/api/sessions/", {"ttl_seconds": 2**31}, "/ttl_seconds"),
    ("/api/sessions/", {"ttl_seconds": TOO_BIG}, "/ttl_seconds"),
    ("/api/sessions/", {"workflow": "x" * 256}, "/workflow"),
    ("/api/sessions/", {"workflow": 5}, "/workflow"),
    ("/api/sessions/", {"nonsense": 1}, "/nonsense"),
    ("/api/sessions/", {"project": 1}, "/project"),
    ("/api/sessions/", {"id": 1}, "/id"),
    ("/api/workflows/", {"workflow_id": "w", "nodes": {}}, "/nodes"),
    ("/api/workflows/", {"workflow_id": "w", "loaded_at": "yesterday"}, "/loaded_at"),
    ("/api/workflows/", {"workflow_id": "w", "loaded_at": "0001-01-01T00:00:00+14:00"}, "/loaded_at"),
    ("/api/workflows/", {"workflow_id": "w", "loaded_at": "9999-12-31T23:59:59-14:00"}, "/loaded_at"),
    ("/api/workflows/", {"workflow_id": "w", "loaded_at": 5}, "/loaded_at"),
    ("/api/workflows/", {}, "/workflow_id"),
    ("/api/workflow-runs/", {"workflow": "w", "execution_time": "fast"}, "/execution_time"),
    ("/api/workflow-runs/", {"workflow": "w", "execution_time": True}, "/execution_time"),
    ("/api/workflow-runs/", {"workflow": "w", "run_id": "x" * 256}, "/run_id"),
    ("/api/knowledge-sources/", {"source_name": "n"}, "/source_path"),
    ("/api/configs/", {"key": "k"}, "/value"),
    ("/api/configs/", {"key": "k", "value": 1, "value_type": "date"}, "/value_type"),
    ("/api/configs/", {"key": "x" * 256, "value": 1}, "/key"),
    ("/api/user-configs/", {"user_id": ""}, "/user_id"),
    ("/api/user-configs/", {"user_id": "u", "preferences": [1]}, "/preferences"),
    ("/api/api-keys/", {"name": "x" * 201}, "/name"),
    ("/api/api-keys/", {"name": "x", "key_hash": "y"}, "/key_hash"),
]


def assert_problem(answer, status: int = 400) -> dict:
    """Check the form of a problem and return its body."""
    assert answer.status_code == status, answer.content
    assert answer["Content-Type"] == "application/problem+json"
    body = answer.json()
    assert {"type", "title", "status", "detail"} <= body.keys()
    assert body["status"] == status
    assert "Traceback" not in answer.content.decode()
    return body


@pytest.mark.parametrize(("path", "body", "pointer"), FIELDS)
def test_a_bad_field_is_named(owner, path, body, pointer):
    problem = assert_problem(owner.post(path, body))
    assert pointer in [error["pointer"] for error in problem["errors"]]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("current_step", "x" * 256),
        ("iteration_count", -1),
        ("iteration_count", 2**31),
        ("iteration_count", TOO_BIG),
        ("max_iterations", 1.5),
        ("start_time", "1800-01-01T00:00:00Z"),
        ("errors", {}),
        ("data", []),
        ("version", "x" if False else None),
    ],
)
def test_a_bad_state_is_refused(owner, project, field, value):
    make_session(session_id="s1")
    answer = owner.put("/api/sessions/s1/state/", {field: value})
    if field == "version":
        # What the system says itself may be sent back and is passed over.
        assert answer.status_code == 201
    else:
        assert_problem(answer)
        assert not SessionState.objects.exists()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b"\xef\xbb\xbf{}",
        b'{"title": "\xc3\x28"}',
        b"'single'",
        b"[]",
        b"null",
        b'"text"',
        b"5",
        b'{"a":1}{"b":2}',
        DEEP.encode(),
        b'{"metadata": ' + DEEP.encode() + b"}",
        b'{"metadata": {"a": ' + b"[" * 65 + b"]" * 65 + b"}}",
        b'{"ttl_seconds": ' + b"9" * 6000 + b"}",
        b'{"metadata": {"n": ' + b"9" * 6000 + b"}}",
    ],
    ids=range(16),
)
def test_a_body_that_is_no_session_is_refused(owner, body):
    answer = owner.post("/api/sessions/", body)
    if body == b"":
        assert answer.status_code == 201
    else:
        assert_problem(answer)
        assert not Session.objects.exists()


@pytest.mark.parametrize("content_type", ["text/plain", "application/xml", "multipart/form-data", "text/json", ""])
def test_another_content_type_is_415(owner, content_type):
    assert_problem(owner.post("/api/sessions/", "{}", content_type=content_type), 415)


def test_what_no_database_keeps_is_replaced_and_counted(owner):
    raw = '{"session_id": "s1", "title": "a\\u0000b", "metadata": {"x": "\\ud800", "n": NaN, "m": [-Infinity, 1e999]}}'
    answer = owner.post("/api/sessions/", raw)
    assert answer.status_code == 201
    assert answer["X-Replaced-Characters"] == "2"
    assert answer["X-Replaced-Numbers"] == "3"
    body = owner.get("/api/sessions/s1/").json()
    assert body["title"] == "a\ufffdb"
    assert body["metadata"] == {"x": "\ufffd", "n": None, "m": [None, None]}


def test_a_pair_of_surrogates_is_one_character(owner):
    answer = owner.post("/api/sessions/", '{"title": "\\ud83d\\ude00"}')
    assert answer.json()["title"] == "😀"
    assert "X-Replaced-Characters" not in answer


def test_the_greatest_integers_are_kept_exactly(owner):
    sent = {"metadata": {"max": 2**63 - 1, "min": -(2**63), "text": "12345678901234567890123"}}
    assert owner.put("/api/sessions/s1/", sent).json()["metadata"] == sent["metadata"]


def test_the_deepest_nesting_is_kept(owner):
    value = 1
    for _ in range(62):
        value = [value]
    assert owner.put("/api/sessions/s1/", {"metadata": {"deep": value}}).status_code == 201
    assert owner.get("/api/sessions/s1/").json()["metadata"] == {"deep": value}


@pytest.mark.parametrize(
    ("path", "params"),
    [
        ("/api/sessions/", {"statuss": "active"}),
        ("/api/sessions/", {"status": "dancing"}),
        ("/api/sessions/", {"status": ""}),
        ("/api/sessions/", {"created_after": "yesterday"}),
        ("/api/sessions/", {"created_after": "0001-01-01T00:00:00Z"}),
        ("/api/sessions/", {"created_after": "9999-99-99"}),
        ("/api/sessions/", {"page_size": "0"}),
        ("/api/sessions/", {"page_size": "1001"}),
        ("/api/sessions/", {"page_size": "-1"}),
        ("/api/sessions/", {"page_size": "ten"}),
        ("/api/sessions/", {"page_size": "²"}),
        ("/api/sessions/", {"count": "yes"}),
        ("/api/sessions/", {"ordering": "title"}),
        ("/api/sessions/", {"ordering": "--created_at"}),
        ("/api/sessions/", {"ordering": "project__slug"}),
        ("/api/sessions/", {"cursor": "nonsense"}),
        ("/api/sessions/", {"cursor": ""}),
        ("/api/sessions/", {"cursor": "WzEsbnVsbF0:abc"}),
        ("/api/sessions/", {"user_id": "a\x00b"}),
        ("/api/sessions/", {"format": "xml"}),
        ("/api/sessions/", {"user_id__in": "a,b"}),
        ("/api/sessions/status/", {"detail": "maybe"}),
        ("/api/sessions/status/", {"user_id": "u"}),
        ("/api/sessions/s1/", {"expand": "all"}),
        ("/api/knowledge-sources/", {"deleted": "perhaps"}),
        ("/api/audit-log/", {"id": "1"}),
    ],
)
def test_a_bad_parameter_is_400_and_never_ignored(owner, project, path, params):
    make_session(session_id="s1")
    problem = assert_problem(owner.get(path, params))
    assert next(iter(params)) in json.dumps(problem)


def test_a_parameter_given_twice_is_refused(owner):
    assert_problem(owner.get("/api/sessions/?status=active&status=paused"))


def test_a_cursor_of_another_list_is_refused(owner, project):
    for number in range(3):
        make_session(session_id=f"s{number}")
    link = owner.get("/api/sessions/", {"page_size": 1}).json()["next"]
    cursor = link.split("cursor=")[1].split("&")[0]
    assert_problem(owner.get(f"/api/configs/?cursor={cursor}"))
    assert_problem(owner.get(f"/api/sessions/?ordering=updated_at&cursor={cursor}"))
    assert_problem(owner.get(f"/api/sessions/?cursor={cursor[:-1]}"))


@pytest.mark.parametrize(
    "path",
    [
        "/api/sessions/a%00b/",
        "/api/sessions/%FF%FE/",
        "/api/sessions/" + "x" * 300 + "/",
        "/api/knowledge-sources/999999999999999999/",
        "/api/knowledge-sources/99999999999999999999999/",
        "/api/knowledge-sources/x/",
        "/api/audit-log/9223372036854775807/",
        "/api/api-keys/absent/",
        "/api/sessions/s1/checkpoints/99999999999999999/",
        "/api/sessions/s1/checkpoints/x/",
        "/api/nowhere/",
        "/api/documents/",
        "/api/documents/ns/a%00b/",
    ],
)
def test_an_address_of_nothing_is_404(owner, project, path):
    make_session(session_id="s1")
    assert_problem(owner.get(path), 404)


def test_a_method_that_is_not_there_is_405(owner):
    assert_problem(owner.delete("/api/sessions/"), 405)
    assert_problem(owner.put("/api/sessions/status/x/state/extra/checkpoints/", {}), 405)


def test_a_gzip_body_is_read(owner):
    body = gzip.compress(b'{"session_id": "') + gzip.compress(b's1"}')
    answer = owner.post("/api/sessions/", body, headers={"Content-Encoding": "gzip"})
    assert answer.status_code == 201
    assert answer.json()["session_id"] == "s1"


def test_a_damaged_gzip_body_is_refused(owner):
    whole = gzip.compress(json.dumps({"title": "x" * 1000}).encode())
    for body in (whole[:-12], whole[:20], b"no gzip at all", b"\x1f\x8b", whole + b"trailing"):
        assert_problem(owner.post("/api/sessions/", body, headers={"Content-Encoding": "gzip"}))
    assert_problem(owner.post("/api/sessions/", whole, headers={"Content-Encoding": "br"}), 415)


def test_a_bomb_is_413_before_it_unfolds(owner, settings):
    settings.MAX_BODY_BYTES = 1_000_000
    bomb = gzip.compress(b" " * 50_000_000)
    assert len(bomb) < 100_000
    assert_problem(owner.post("/api/sessions/", bomb, headers={"Content-Encoding": "gzip"}), 413)


def test_a_body_over_the_limit_is_413(owner, settings):
    settings.MAX_BODY_BYTES = 1000
    assert_problem(owner.post("/api/sessions/", {"title": "x" * 2000}), 413)


def test_a_chunked_body_is_refused_and_not_taken_for_an_empty_one(owner):
    assert_problem(owner.post("/api/sessions/", {"title": "x"}, headers={"Transfer-Encoding": "chunked"}), 411)
