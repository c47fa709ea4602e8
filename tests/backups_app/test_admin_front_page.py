"""The front page of the admin says what is held, whether it is healthy, what came last, and what to do next."""

import pytest
from django.contrib.auth.models import Group
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from sessions_app.models import StaffUser
from tests.admin_rows import page
from tests.factories import make_import_run, make_message, make_session

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _nothing_remembered():
    cache.clear()


def test_an_empty_store_says_what_to_do_next(staff_admin):
    text = staff_admin.get("/admin/").content.decode()
    for step in ("make demo", "import_legacy", "curl -X POST http://testserver/api/sessions/"):
        assert step in text
    assert "Nothing has been imported yet." in text


def test_what_is_held_and_what_came_last_is_shown(staff_admin):
    session = make_session(title="A parcel is late")
    make_message(session=session)
    run = make_import_run(source="old-store")
    response = staff_admin.get("/admin/")
    held = {str(kind["title"]): kind["count"] for kind in response.context["holdings"]}
    assert (held["sessions"], held["messages"]) == ("1", "1")
    text = response.content.decode()
    assert page(session, "conversation") in text
    assert page(run, "change") in text
    assert "make demo" not in text


def test_superusers_see_the_health_of_the_system(staff_admin):
    health = staff_admin.get("/admin/").context["health"]
    assert {"database", "migrations", "broker", "disk"} <= {check["name"] for check in health["checks"]}


def test_members_of_another_project_see_nothing_of_this_one(other_project):
    user = StaffUser.objects.create_user(username="neighbour", is_staff=True)
    user.groups.add(Group.objects.get(name="Operator"))
    user.projects.add(other_project)
    client = Client()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    make_import_run(source="old-store")
    make_session(title="A parcel is late")
    response = client.get("/admin/")
    assert response.context["health"] is None
    assert {kind["count"] for kind in response.context["holdings"]} == {"0"}
    assert "A parcel is late" not in response.content.decode()
    assert "old-store" not in response.content.decode()


def test_the_front_page_takes_as_many_queries_for_many_sessions_as_for_one(staff_admin):
    def queries() -> int:
        cache.clear()
        with CaptureQueriesContext(connection) as counted:
            staff_admin.get("/admin/")
        return len(counted)

    make_session()
    staff_admin.get("/admin/")
    one = queries()
    for _ in range(5):
        make_import_run()
        make_message(session=make_session())
    assert queries() == one


def test_the_reconciliation_of_an_import_is_a_table(staff_admin):
    run = make_import_run(counts={"message": {"read": 3, "new": 2, "rejected": 1}, "session": {"read": 1}})
    text = staff_admin.get(page(run, "change")).content.decode()
    assert '<th scope="col">rejected</th>' in text
    assert '<th scope="row">message</th><td>3</td><td>2</td><td>1</td>' in text
    assert '<th scope="row">session</th><td>1</td><td>0</td><td>0</td>' in text
