"""Sessions over the API: made, saved, changed, found, deleted."""

from datetime import UTC, datetime, timedelta

import pytest

from sessions_app.models import AuditEntry, Session, SessionLabel
from tests.factories import make_message, make_session

pytestmark = pytest.mark.django_db

ODD_IDS = [
    "a/b",
    "..",
    "../../etc/passwd",
    "50% off",
    "with space",
    " leading",
    "会话-1",
    "état?#&=+",
    "x" * 255,
    "tail/",
    "state of things",
    "line\nbreak",
]


def address(session_id: str, rest: str = "") -> str:
    """Return the path of a session, its id percent-encoded."""
    from urllib.parse import quote

    return f"/api/sessions/{quote(session_id, safe='')}/{rest}"


def test_a_session_is_made_with_an_id_of_its_own(owner):
    answer = owner.post("/api/sessions/", {"title": "Parcel", "user_id": "u1"})
    assert answer.status_code == 201
    body = answer.json()
    assert body["title"] == "Parcel"
    assert body["status"] == "active"
    assert len(body["session_id"]) == 36
    assert body["version"] == 1
    assert answer["ETag"] == '"1"'
    assert owner.get(address(body["session_id"])).json() == body


def test_every_field_comes_back_as_it_was_sent(owner):
    sent = {
        "session_id": "s1",
        "user_id": "u1",
        "title": "Ünïcödé 标题 ",
        "status": "paused",
        "tags": ["vip", "中文"],
        "workflow": "support",
        "workflow_config_path": "configs/support.yaml",
        "agent_config": {"model": "gpt-4o", "temperature": 0.7, "big": 9007199254740993},
        "workflow_config": {"nodes": [{"id": 1}]},
        "metadata": {"customer": "ACME", "nested": {"a": [1, None, True]}},
        "context": {"topic": "refund"},
        "settings": {"x": -0.5},
        "thread_configs": {"t1": {"k": []}},
        "external_ids": {"ragflow": "r-9"},
        "ttl_seconds": 60,
    }
    answer = owner.post("/api/sessions/", sent)
    assert answer.status_code == 201
    body = owner.get("/api/sessions/s1/").json()
    assert {name: body[name] for name in sent} == sent
    assert body["message_count"] == 0
    assert body["created_at"].endswith("Z")


@pytest.mark.parametrize("session_id", ODD_IDS)
def test_any_text_is_an_id(owner, session_id):
    assert owner.put(address(session_id), {"title": "odd"}).status_code == 201
    assert owner.get(address(session_id)).json()["session_id"] == session_id
    assert owner.put(address(session_id, "state/"), {"current_step": "think"}).status_code == 201
    assert owner.get(address(session_id, "state/")).json()["current_step"] == "think"
    assert owner.get("/api/sessions/", {"session_id": session_id}).json()["results"][0]["session_id"] == session_id
    assert owner.delete(address(session_id)).status_code == 204
    assert owner.get(address(session_id)).status_code == 404


def test_ids_differ_by_case_and_trailing_space(owner):
    for session_id in ("ab", "AB", "ab "):
        assert owner.post("/api/sessions/", {"session_id": session_id}).status_code == 201
    assert Session.objects.count() == 3


def test_the_slash_at_the_end_is_optional(owner):
    assert owner.post("/api/sessions", {"session_id": "s1"}).status_code == 201
    assert owner.get("/api/sessions").json()["results"][0]["session_id"] == "s1"
    assert owner.get("/api/sessions/s1").status_code == 200
    assert owner.put("/api/sessions/s1/state", {}).status_code == 201
    assert owner.get("/api/sessions/status").status_code == 200


def test_making_the_same_session_twice_is_a_conflict(owner):
    assert owner.post("/api/sessions/", {"session_id": "s1"}).status_code == 201
    answer = owner.post("/api/sessions/", {"session_id": "s1"})
    assert answer.status_code == 409
    assert answer["Content-Type"] == "application/problem+json"


def test_put_replaces_the_whole_session(owner):
    assert owner.put("/api/sessions/s1/", {"title": "one", "tags": ["a"], "metadata": {"k": 1}}).status_code == 201
    answer = owner.put("/api/sessions/s1/", {"user_id": "u2"})
    assert answer.status_code == 200
    body = answer.json()
    assert (body["title"], body["tags"], body["metadata"], body["user_id"]) == ("", [], {}, "u2")
    assert body["version"] == 2
    assert not SessionLabel.objects.exists()


def test_put_refuses_another_id_in_the_body(owner):
    answer = owner.put("/api/sessions/s1/", {"session_id": "s2"})
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["pointer"] == "/session_id"


def test_what_was_read_can_be_put_back(owner):
    owner.put("/api/sessions/s1/", {"title": "one", "workflow": "w", "metadata": {"k": 1}})
    body = owner.get("/api/sessions/s1/").json()
    again = owner.put("/api/sessions/s1/", body).json()
    changing = {"version", "updated_at", "expires_at", "last_activity_at"}
    assert {name: again[name] for name in body if name not in changing} == {
        name: value for name, value in body.items() if name not in changing
    }


def test_patch_merges_documents_and_null_takes_away(owner):
    owner.put("/api/sessions/s1/", {"metadata": {"a": 1, "b": {"c": 2, "d": 3}}, "context": {"x": 1}, "tags": ["t"]})
    answer = owner.patch("/api/sessions/s1/", {"metadata": {"a": None, "b": {"d": 4}}, "context": None})
    assert answer.status_code == 200
    body = answer.json()
    assert body["metadata"] == {"b": {"c": 2, "d": 4}}
    assert body["context"] == {}
    assert body["tags"] == ["t"]
    assert owner.get("/api/sessions/s1/").json()["metadata"] == {"b": {"c": 2, "d": 4}}


def test_patch_takes_a_merge_patch_content_type(owner):
    owner.put("/api/sessions/s1/", {})
    answer = owner.patch("/api/sessions/s1/", {"title": "new"}, content_type="application/merge-patch+json")
    assert answer.json()["title"] == "new"


def test_a_stale_version_changes_nothing(owner):
    owner.put("/api/sessions/s1/", {"title": "one"})
    for method, body in (("put", {}), ("patch", {"title": "two"}), ("delete", None)):
        answer = getattr(owner, method)("/api/sessions/s1/", body, headers={"If-Match": '"7"'})
        assert answer.status_code == 412
    assert owner.get("/api/sessions/s1/").json()["title"] == "one"
    assert owner.patch("/api/sessions/s1/", {"title": "two"}, headers={"If-Match": '"1"'})["ETag"] == '"2"'
    assert owner.delete("/api/sessions/s1/", headers={"If-Match": '"2"'}).status_code == 204


def test_if_match_any_needs_a_session(owner):
    assert owner.put("/api/sessions/s1/", {}, headers={"If-Match": "*"}).status_code == 412
    assert owner.put("/api/sessions/s1/", {}, headers={"If-Match": "nonsense"}).status_code == 412
    assert owner.put("/api/sessions/s1/", {}).status_code == 201
    assert owner.put("/api/sessions/s1/", {}, headers={"If-Match": "*"}).status_code == 200


def test_who_has_the_version_gets_304(owner):
    owner.put("/api/sessions/s1/", {})
    answer = owner.get("/api/sessions/s1/", headers={"If-None-Match": '"1"'})
    assert answer.status_code == 304
    assert answer.content == b""


def test_head_says_whether_a_session_is_there(owner):
    owner.put("/api/sessions/s1/", {})
    assert owner.head("/api/sessions/s1/").status_code == 200
    assert owner.head("/api/sessions/s2/").status_code == 404


def test_deleting_takes_what_hangs_on_it_and_is_audited(owner, project):
    session = make_session(session_id="s1", title="Parcel")
    make_message(session=session)
    assert owner.delete("/api/sessions/s1/").status_code == 204
    entry = AuditEntry.objects.get(action="session.delete")
    assert (entry.target_id, entry.changes["messages"], entry.actor_kind) == ("s1", 1, "key")
    assert owner.delete("/api/sessions/s1/").status_code == 404


def test_a_workflow_that_a_session_names_is_made(owner):
    owner.put("/api/sessions/s1/", {"workflow": "support"})
    assert owner.get("/api/workflows/support/").json()["name"] == "support"
    assert owner.patch("/api/sessions/s1/", {"workflow": None}).json()["workflow"] is None


def _make_many(owner):
    owner.put("/api/sessions/s1/", {"user_id": "u1", "tags": ["vip", "eu"], "metadata": {"customer": "ACME", "n": 5}})
    owner.put("/api/sessions/s2/", {"user_id": "u2", "status": "paused", "title": "Lost Parcel", "workflow": "w"})
    owner.put("/api/sessions/s3/", {"user_id": "u1", "metadata": {"customer": "Beta", "ok": True}})


@pytest.mark.parametrize(
    ("params", "found"),
    [
        ({"status": "paused"}, {"s2"}),
        ({"user_id": "u1"}, {"s1", "s3"}),
        ({"user_id": "u1", "tag": "vip"}, {"s1"}),
        ({"tag": "VIP"}, set()),
        ({"workflow": "w"}, {"s2"}),
        ({"metadata.customer": "ACME"}, {"s1"}),
        ({"metadata.n": "5"}, {"s1"}),
        ({"metadata.ok": "true"}, {"s3"}),
        ({"metadata.customer": "ACME", "metadata.n": "6"}, set()),
        ({"q": "parcel"}, {"s2"}),
        ({"q": "u1"}, {"s1", "s3"}),
        ({"q": "s"}, {"s1", "s2", "s3"}),
        ({"session_id": "s3"}, {"s3"}),
    ],
)
def test_filters_find_what_they_say(owner, params, found):
    _make_many(owner)
    assert {row["session_id"] for row in owner.get("/api/sessions/", params).json()["results"]} == found


def test_times_bound_the_list(owner):
    start = datetime(2026, 1, 1, tzinfo=UTC)
    for day in range(4):
        make_session(session_id=f"d{day}", created_at=start + timedelta(days=day))
    params = {"created_after": "2026-01-02T00:00:00Z", "created_before": "2026-01-04T00:00:00"}
    rows = owner.get("/api/sessions/", params).json()["results"]
    assert [row["session_id"] for row in rows] == ["d2", "d1"]


@pytest.mark.parametrize("ordering", ["created_at", "-created_at", "updated_at", "-last_activity_at"])
@pytest.mark.parametrize("size", [1, 2, 7])
def test_pages_hold_every_row_once_in_both_directions(owner, ordering, size):
    for number in range(7):
        # Three rows of the same moment: the id decides.
        make_session(session_id=f"s{number}", created_at=datetime(2026, 1, 1 + number // 3, tzinfo=UTC))
    everything = [row["session_id"] for row in owner.get("/api/sessions/", {"ordering": ordering}).json()["results"]]
    assert len(everything) == 7
    page = owner.get("/api/sessions/", {"ordering": ordering, "page_size": size}).json()
    pages = [page]
    while pages[-1]["next"]:
        pages.append(owner.get(pages[-1]["next"]).json())
    assert [row["session_id"] for page in pages for row in page["results"]] == everything
    backwards = [pages[-1]]
    while backwards[-1]["previous"]:
        backwards.append(owner.get(backwards[-1]["previous"]).json())
    assert [row["session_id"] for page in reversed(backwards) for row in page["results"]] == everything


def test_a_page_counts_only_when_asked(owner):
    _make_many(owner)
    assert "count" not in owner.get("/api/sessions/").json()
    assert owner.get("/api/sessions/", {"count": "true", "user_id": "u1"}).json()["count"] == 2


def test_links_carry_the_slash_and_the_filters(owner):
    _make_many(owner)
    link = owner.get("/api/sessions", {"user_id": "u1", "page_size": 1}).json()["next"]
    assert "/api/sessions/?" in link
    assert [row["session_id"] for row in owner.get(link).json()["results"]] == ["s1"]


@pytest.mark.parametrize("size", [1, 30])
def test_the_list_takes_two_queries_however_long(owner, django_assert_num_queries, size):
    for number in range(size):
        owner.put(f"/api/sessions/s{number}/", {"workflow": f"w{number}", "tags": ["t"]})
    with django_assert_num_queries(2):
        assert len(owner.get("/api/sessions/").json()["results"]) == size


def test_the_status_page_counts(owner):
    _make_many(owner)
    owner.post("/api/sessions/s1/heartbeat/", {"agent_id": "a1", "host": "h"})
    body = owner.get("/api/sessions/status/").json()
    assert body["total"] == 3
    assert body["by_status"]["active"] == 2
    assert (body["resident_agents"], body["idle_agents"]) == (1, 0)
    assert "residencies" not in body
    detail = owner.get("/api/sessions/status/", {"detail": "true"}).json()
    assert detail["residencies"][0]["session_id"] == "s1"


def test_a_heartbeat_renews_and_release_touches_no_data(owner):
    owner.put("/api/sessions/s1/", {"ttl_seconds": 60})
    version = owner.get("/api/sessions/s1/").json()["version"]
    Session.objects.update(expires_at=datetime(2026, 1, 1, tzinfo=UTC))
    answer = owner.post("/api/sessions/s1/heartbeat/", {"agent_id": "a1"})
    assert answer.status_code == 200
    assert answer.json()["agent_id"] == "a1"
    assert owner.post("/api/sessions/s1/heartbeat/", {"agent_id": "a2", "host": "h2"}).json()["host"] == "h2"
    body = owner.get("/api/sessions/s1/").json()
    assert body["expires_at"] > "2026-06"
    assert body["version"] == version
    assert owner.delete("/api/sessions/s1/heartbeat/").status_code == 204
    assert owner.delete("/api/sessions/s1/heartbeat/").status_code == 204
    assert owner.get("/api/sessions/s1/").status_code == 200
