"""Keys, roles, projects and the audit log over the API."""

from datetime import timedelta

import pytest
from django.utils import timezone

from sessions_app.models import ApiKey, AuditEntry, Project
from sessions_app.services.api_keys import api_key_create
from tests.clients import ApiClient
from tests.factories import make_session

pytestmark = pytest.mark.django_db


def test_a_key_is_shown_once_and_works_at_once(owner, project):
    answer = owner.post("/api/api-keys/", {"name": "bot", "role": "agent"})
    assert answer.status_code == 201
    token = answer.json()["key"]
    assert answer["Cache-Control"] == "no-store"
    assert ApiClient(token).get("/api/sessions/").status_code == 200
    prefix = answer.json()["prefix"]
    shown = owner.get(f"/api/api-keys/{prefix}/")
    assert token not in shown.content.decode()
    assert ApiKey.objects.get(prefix=prefix).key_hash not in token


def test_a_revoked_key_is_useless_from_the_next_request_on(owner):
    made = owner.post("/api/api-keys/", {"name": "bot"}).json()
    assert made["role"] == "agent"
    bot = ApiClient(made["key"])
    assert bot.get("/api/sessions/").status_code == 200
    assert owner.delete(f"/api/api-keys/{made['prefix']}/").status_code == 204
    assert bot.get("/api/sessions/").status_code == 401
    actions = set(AuditEntry.objects.filter(target_id=made["prefix"]).values_list("action", flat=True))
    assert actions == {"api_key.create", "api_key.revoke"}


def test_an_expired_key_is_useless(project):
    now = timezone.now()
    _key, token = api_key_create(
        project=project,
        name="old",
        role="admin",
        expires_at=now - timedelta(seconds=1),
        now=now - timedelta(days=1),
    )
    assert ApiClient(token).get("/api/sessions/").status_code == 401


@pytest.mark.parametrize(
    "body", [{"name": ""}, {"name": "x", "role": "god"}, {"name": "x", "expires_at": "2020-01-01T00:00:00Z"}, {}]
)
def test_a_key_that_makes_no_sense_is_refused(owner, body):
    assert owner.post("/api/api-keys/", body).status_code == 400


def test_a_changed_key_opens_nothing(owner):
    token = owner.token
    tried = [token[:-1], token[:-1] + ("0" if token[-1] != "0" else "1"), token.upper(), token + "x", "al_a_b_c", "é"]
    for number in range(len(token)):
        tried.append(token[:number] + ("a" if token[number] != "a" else "b") + token[number + 1 :])
    for wrong in tried:
        answer = ApiClient(wrong).get("/api/sessions/")
        assert answer.status_code == 401
        assert answer["WWW-Authenticate"].startswith("Bearer")


def test_a_typing_error_costs_no_query(owner, django_assert_num_queries):
    with django_assert_num_queries(0):
        ApiClient(owner.token[:-1]).get("/api/sessions/")


def test_nobody_comes_in_without_a_key(anonymous):
    for path in ("/api/sessions/", "/api/configs/", "/api/audit-log/", "/api/documents/x/"):
        answer = anonymous.get(path)
        assert answer.status_code == 401
        assert answer["Content-Type"] == "application/problem+json"


def test_the_last_use_is_noted_once_a_minute(owner, django_assert_num_queries):
    owner.get("/api/projects/")
    key = ApiKey.objects.get(name="owner")
    assert key.last_used_at is not None
    with django_assert_num_queries(2):
        owner.get("/api/projects/")


WRITES = [
    ("put", "/api/sessions/s9/", {}),
    ("put", "/api/sessions/s1/state/", {}),
    ("post", "/api/sessions/s1/heartbeat/", {"agent_id": "a"}),
    ("put", "/api/workflow-runs/r1/", {"workflow": "w"}),
    ("put", "/api/documents/ns/k/", {"value": 1}),
    ("put", "/api/user-configs/u/", {}),
    ("delete", "/api/sessions/s1/", None),
]
KEEPING = [
    ("put", "/api/workflows/w/", {}),
    ("put", "/api/configs/k/", {"value": 1}),
    ("post", "/api/knowledge-sources/", {"source_name": "n", "source_path": "p", "source_type": "t"}),
    ("delete", "/api/user-configs/u/", None),
]
GUARDED = [("get", "/api/api-keys/", None), ("post", "/api/api-keys/", {"name": "x"}), ("get", "/api/audit-log/", None)]


@pytest.mark.parametrize(
    ("role", "writes", "keeps", "guards"),
    [
        ("owner", True, True, True),
        ("operator", True, True, False),
        ("agent", True, False, False),
        ("reader", False, False, False),
    ],
)
def test_a_role_may_do_what_it_is_for(request, role, writes, keeps, guards):
    make_session(session_id="s1")
    client = request.getfixturevalue(role)
    for calls, allowed in ((WRITES, writes), (KEEPING, keeps), (GUARDED, guards)):
        for method, path, body in calls:
            answer = getattr(client, method)(path) if method == "get" else getattr(client, method)(path, body)
            assert (answer.status_code != 403) is allowed, (role, method, path, answer.status_code)
            assert answer.status_code < 500
    assert client.get("/api/sessions/").status_code == 200


def test_a_reader_sees_contents_masked(owner, reader):
    owner.put("/api/sessions/s1/", {"title": "shown", "context": {"secret": 1}})
    owner.put("/api/sessions/s1/state/", {"current_step": "think", "data": {"secret": 1}, "errors": ["x"]})
    owner.put("/api/user-configs/u1/", {"preferences": {"secret": 1}})
    owner.put("/api/documents/ns/k/", {"value": {"secret": 1}})
    session = reader.get("/api/sessions/s1/").json()
    assert (session["title"], session["context"]) == ("shown", "********")
    state = reader.get("/api/sessions/s1/state/").json()
    assert (state["current_step"], state["data"], state["errors"]) == ("think", "********", "********")
    assert reader.get("/api/user-configs/u1/").json()["preferences"] == "********"
    assert reader.get("/api/documents/ns/k/").json()["value"] == "********"
    for path in ("/api/sessions/", "/api/sessions/s1/checkpoints/", "/api/user-configs/", "/api/documents/ns/"):
        assert "secret" not in reader.get(path).content.decode()


def test_staff_groups_have_the_reach_of_their_role(analyst, auditor, staff_admin, owner):
    owner.put("/api/sessions/s1/", {"context": {"secret": 1}})
    assert analyst.get("/api/sessions/s1/").json()["context"] == "********"
    assert analyst.get("/api/audit-log/").status_code == 403
    assert auditor.get("/api/audit-log/").status_code == 200
    assert auditor.get("/api/sessions/s1/").json()["context"] == "********"
    assert auditor.delete("/api/sessions/s1/").status_code == 403
    assert staff_admin.get("/api/sessions/s1/").json()["context"] == {"secret": 1}
    assert staff_admin.get("/api/api-keys/").status_code == 200


def test_a_browser_login_needs_the_csrf_token_to_write(staff_admin, project):
    from django.test import Client

    strict = Client(enforce_csrf_checks=True)
    strict.cookies = staff_admin.cookies
    answer = strict.post("/api/sessions/", {"title": "x"}, content_type="application/json")
    assert answer.status_code == 403
    assert staff_admin.post("/api/sessions/", {"title": "x"}, content_type="application/json").status_code == 201


def test_staff_choose_a_project(staff_admin, owner, outsider):
    owner.put("/api/sessions/same/", {"title": "mine"})
    outsider.put("/api/sessions/same/", {"title": "theirs"})
    assert len(staff_admin.get("/api/sessions/").json()["results"]) == 2
    assert staff_admin.get("/api/sessions/same/").status_code == 409
    assert staff_admin.get("/api/sessions/same/?project=other").json()["title"] == "theirs"
    assert staff_admin.get("/api/sessions/?project=absent").status_code == 404
    made = staff_admin.post("/api/sessions/?project=other", {"session_id": "new"}, content_type="application/json")
    assert made.status_code == 201
    assert outsider.get("/api/sessions/new/").status_code == 200


def test_staff_of_one_project_see_no_other(analyst, outsider):
    outsider.put("/api/sessions/s1/", {})
    assert analyst.get("/api/sessions/").json()["results"] == []
    assert analyst.get("/api/sessions/s1/").status_code == 404
    assert analyst.get("/api/sessions/?project=other").status_code == 404


def test_a_key_may_name_its_own_project_only(owner, other_project):
    assert owner.get("/api/sessions/?project=default").status_code == 200
    assert owner.get("/api/sessions/?project=other").status_code == 404
    assert owner.get("/api/sessions/?project=absent").status_code == 404


def test_projects_are_made_by_administrators_of_the_staff(staff_admin, owner, analyst):
    made = staff_admin.post("/api/projects/", {"slug": "team-b", "name": "Team B"}, content_type="application/json")
    assert made.status_code == 201
    assert Project.objects.get(slug="team-b").systemconfig_set.count() == 10
    again = staff_admin.post("/api/projects/", {"slug": "team-b"}, content_type="application/json")
    assert again.status_code == 409
    bad = staff_admin.post("/api/projects/", {"slug": "Team B"}, content_type="application/json")
    assert bad.status_code == 400
    renamed = staff_admin.patch("/api/projects/team-b/", {"name": "B"}, content_type="application/json")
    assert renamed.json()["name"] == "B"
    assert owner.post("/api/projects/", {"slug": "x"}).status_code == 403
    assert analyst.post("/api/projects/", {"slug": "x"}, content_type="application/json").status_code == 403
    assert [row["slug"] for row in owner.get("/api/projects/").json()["results"]] == ["default"]
    assert owner.get("/api/projects/team-b/").status_code == 404


def test_the_audit_log_is_read_by_filters_and_never_written(owner):
    owner.put("/api/configs/k/", {"value": 1})
    owner.delete("/api/configs/k/")
    rows = owner.get("/api/audit-log/", {"target_type": "config", "target_id": "k"}).json()["results"]
    assert [row["action"] for row in rows] == ["config.delete", "config.create"]
    entry = owner.get(f"/api/audit-log/{rows[0]['id']}/").json()
    assert entry["actor"].startswith("owner (")
    assert len(owner.get("/api/audit-log/", {"action": "config.create"}).json()["results"]) == 1
    for method in ("post", "put", "patch", "delete"):
        assert getattr(owner, method)(f"/api/audit-log/{rows[0]['id']}/", {}).status_code == 405


@pytest.mark.parametrize("path", ["/api/api-keys/", "/api/audit-log/", "/api/projects/"])
def test_the_lists_take_two_queries(owner, project, now, django_assert_num_queries, path):
    for number in range(10):
        api_key_create(project=project, name=f"k{number}", role="agent", now=now)
    owner.get(path)
    with django_assert_num_queries(2):
        owner.get(path)
