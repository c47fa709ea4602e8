"""Where a session may go from where it stands, through every door."""

import pytest

from config.shared.errors import Conflict
from sessions_app.models import Session
from sessions_app.services.lifecycle import status_change_check
from tests.admin_rows import form_of, page
from tests.factories import make_session

pytestmark = pytest.mark.django_db
EVERY_STEP = [(before, after) for before in Session.Status.values for after in Session.Status.values]
OPEN = {"active", "paused", "inactive"}
ALLOWED = (
    {(before, after) for before in OPEN for after in Session.Status.values}
    | {(status, status) for status in Session.Status.values}
    | {("failed", "active"), ("expired", "active"), ("expired", "completed"), ("expired", "failed")}
)


@pytest.mark.parametrize(("before", "after"), EVERY_STEP)
def test_patch_and_put_follow_the_paths(owner, before, after):
    make_session(session_id="s1", status=before)
    expected = 200 if (before, after) in ALLOWED else 409
    patched = owner.patch("/api/sessions/s1/", {"status": after})
    assert patched.status_code == expected
    Session.objects.update(status=before)
    assert owner.put("/api/sessions/s1/", {"status": after}).status_code == expected
    assert Session.objects.get().status == (after if expected == 200 else before)
    if expected == 409:
        assert f"{before} does not become {after}" in patched.json()["detail"]


def test_a_put_that_leaves_the_status_out_asks_for_an_active_session(owner):
    make_session(session_id="s1", status="completed")
    assert owner.put("/api/sessions/s1/", {"title": "again"}).status_code == 409


def test_a_session_that_comes_back_lives_again(owner, settings):
    make_session(session_id="s1", status="expired")
    body = owner.patch("/api/sessions/s1/", {"status": "active"}).json()
    assert body["status"] == "active"
    assert body["expires_at"] is not None


def test_the_admin_refuses_what_the_api_refuses(staff_admin):
    session = make_session(status="completed")
    form = {**form_of(staff_admin, page(session, "change")), "status": "active"}
    answer = staff_admin.post(page(session, "change"), form)
    assert answer.status_code == 200
    assert "does not become" in answer.content.decode()
    session.refresh_from_db()
    assert session.status == "completed"


def test_the_admin_takes_the_allowed_path(staff_admin):
    session = make_session(status="active")
    form = {**form_of(staff_admin, page(session, "change")), "status": "completed"}
    assert staff_admin.post(page(session, "change"), form).status_code == 302
    session.refresh_from_db()
    assert session.status == "completed"


def test_a_refusal_names_the_ways_that_are_open():
    with pytest.raises(Conflict, match="It may become: active"):
        status_change_check(current="failed", wanted="completed")
    with pytest.raises(Conflict, match="It stays so"):
        status_change_check(current="completed", wanted="active")
