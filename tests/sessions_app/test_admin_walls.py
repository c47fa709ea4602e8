"""The admin keeps the walls between projects, masks contents, and asks for permissions."""

import pytest
from django.contrib.auth.models import Permission
from django.test import Client

from sessions_app.models import StaffUser
from tests.admin_rows import OWN_MODELS, label, page, row_of
from tests.factories import make_message, make_session, make_task, make_tool_call

pytestmark = pytest.mark.django_db

SECRET_WORDS = "the patient is called Ada"
# Who works here is seen by those who share a project, and projects by their members.
ACROSS_PROJECTS = {"staffuser"}


@pytest.fixture
def neighbour(other_project):
    """Has every permission there is, but only in another project."""
    user = StaffUser.objects.create_user(username="neighbour", is_staff=True)
    user.user_permissions.set(Permission.objects.all())
    user.projects.add(other_project)
    client = Client()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client


@pytest.mark.parametrize("model", [model for model in OWN_MODELS if label(model) not in ACROSS_PROJECTS], ids=label)
def test_a_neighbour_sees_no_row_of_this_project(neighbour, model):
    row = row_of(model)
    listed = neighbour.get(page(model, "changelist"))
    assert row.pk not in [seen.pk for seen in listed.context["cl"].result_list]
    # Django leads away from a row that it does not find; nobody deletes from some tables.
    assert neighbour.get(page(row, "change")).status_code == 302
    assert neighbour.get(page(row, "history")).status_code == 302
    assert neighbour.get(page(row, "delete")).status_code in (302, 403)
    assert neighbour.post(page(row, "delete"), {"post": "yes"}).status_code in (302, 403)
    assert model._base_manager.filter(pk=row.pk).exists()


def test_a_neighbour_cannot_open_the_conversation(neighbour):
    session = make_session()
    assert neighbour.get(page(session, "conversation")).status_code == 404


def test_a_neighbour_cannot_put_a_row_into_this_project(neighbour, project):
    response = neighbour.post("/admin/sessions_app/session/add/", {"project": project.pk, "session_id": "sneaked"})
    assert response.status_code == 200
    assert "project" in response.context["adminform"].form.errors


def test_a_neighbour_finds_nobody_who_shares_no_project(neighbour, staff_admin):
    page_of_staff = neighbour.get("/admin/sessions_app/staffuser/")
    assert [user.username for user in page_of_staff.context["cl"].result_list] == ["neighbour"]


def test_somebody_without_permissions_sees_no_table(db):
    user = StaffUser.objects.create_user(username="new", is_staff=True)
    client = Client()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    for model in OWN_MODELS:
        assert client.get(page(model, "changelist")).status_code == 403
    assert client.get(page(make_session(), "conversation")).status_code in (403, 404)
    assert client.get("/admin/").status_code == 200


def test_a_form_without_its_token_is_refused(staff_admin):
    session = make_session()
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = staff_admin.cookies
    assert strict.post(page(session, "delete"), {"post": "yes"}).status_code == 403
    session.refresh_from_db()


@pytest.fixture
def masked_analyst(analyst, project):
    """The analyst, in this project."""
    analyst.user.projects.add(project)
    return analyst


def test_an_analyst_sees_masks_in_place_of_contents(masked_analyst):
    session = make_session(title="A title")
    message = make_message(session=session, content=SECRET_WORDS)
    task = make_task(session=session, user_input=SECRET_WORDS)
    call = make_tool_call(session=session, task=task, tool_input={"q": SECRET_WORDS}, tool_output=SECRET_WORDS)
    pages = [
        *(page(row, "change") for row in (message, call, task)),
        *(page(row, "history") for row in (message, call, task)),
        *(page(type(row), "changelist") for row in (message, call, task)),
        page(session, "conversation"),
    ]
    for address in pages:
        response = masked_analyst.get(address)
        assert response.status_code == 200, address
        assert SECRET_WORDS not in response.content.decode(), address
    assert "********" in masked_analyst.get(page(message, "change")).content.decode()
    assert "********" in masked_analyst.get(page(session, "conversation")).content.decode()


def test_an_analyst_can_change_nothing_even_with_the_permission(masked_analyst):
    masked_analyst.user.user_permissions.set(Permission.objects.filter(content_type__app_label="history_app"))
    message = make_message(content=SECRET_WORDS)
    response = masked_analyst.post(page(message, "change") + "?edit=1", {"content": "changed"})
    message.refresh_from_db()
    assert response.status_code == 403
    assert message.content == SECRET_WORDS


def test_an_auditor_reads_the_audit_log_and_nobody_edits_it(auditor, staff_admin, project):
    from tests.factories import make_audit_entry

    auditor.user.projects.add(project)
    entry = make_audit_entry()
    assert auditor.get(page(entry, "change")).status_code == 200
    assert auditor.get(page(type(entry), "changelist")).status_code == 200
    assert staff_admin.post(page(entry, "change"), {"action": "nothing"}).status_code == 403
    assert staff_admin.post(page(entry, "delete"), {"post": "yes"}).status_code == 403


def test_an_administrator_who_is_no_superuser_cannot_become_one(project):
    from django.contrib.auth.models import Group

    from tests.admin_rows import form_of

    user = StaffUser.objects.create_user(username="chief", is_staff=True)
    user.groups.add(Group.objects.get(name="Administrator"))
    user.projects.add(project)
    client = Client()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    form = form_of(client, page(user, "change"))
    assert client.post(page(user, "change"), {**form, "is_superuser": "on", "first_name": "Ann"}).status_code == 302
    user.refresh_from_db()
    assert (user.first_name, user.is_superuser) == ("Ann", False)
