"""What staff type into forms is stored exactly, by services, with an audit entry; what is wrong is named."""

import json
from datetime import timedelta

import pytest
from django.utils import timezone

from sessions_app.models import (
    ApiKey,
    AuditEntry,
    Document,
    ProviderKey,
    Session,
    SessionLabel,
    StaffUser,
    SystemConfig,
    UserConfig,
    Workflow,
)
from sessions_app.services.api_keys import api_key_authenticate
from sessions_app.services.audit import audit_verify
from tests.admin_rows import form_of, page
from tests.factories import (
    default_project,
    make_api_key,
    make_document,
    make_knowledge_source,
    make_provider_key,
    make_session,
    make_system_config,
    make_user_config,
    make_workflow,
)

pytestmark = pytest.mark.django_db

ODD_TEXT = "  两行\r\nsecond line \n\n\ttabbed  "
MICROSECOND = timedelta(microseconds=123456)


def test_a_session_is_made_with_its_activity_its_labels_and_an_audit_entry(staff_admin, project):
    form = {**form_of(staff_admin, page(Session, "add")), "project": project.pk, "title": "By hand", "tags": '["vip"]'}
    assert staff_admin.post(page(Session, "add"), form).status_code == 302
    session = Session.objects.get(title="By hand")
    assert session.session_id
    assert session.activity.message_count == 0
    assert SessionLabel.objects.get(session=session).value == "vip"
    entry = AuditEntry.objects.latest("number")
    assert (entry.action, entry.target_id, entry.actor) == ("session.create", str(session.pk), "staff_admin")


def test_a_session_is_changed_as_its_next_version_with_its_labels(staff_admin):
    session = make_session(title="Old", tags=["old"], metadata={"keep": 1, "drop": 2})
    form = form_of(staff_admin, page(session, "change"))
    form |= {"title": "New", "tags": '["new"]', "metadata": '{"keep": 1}'}
    assert staff_admin.post(page(session, "change"), form).status_code == 302
    session.refresh_from_db()
    assert (session.title, session.tags, session.metadata, session.version) == ("New", ["new"], {"keep": 1}, 2)
    assert set(SessionLabel.objects.filter(session=session).values_list("value", flat=True)) == {"new", "1"}
    entry = AuditEntry.objects.latest("number")
    assert entry.action == "session.update"
    assert entry.changes["title"] == ["Old", "New"]
    assert entry.changes["tags"] == "changed"


def test_saving_an_untouched_form_changes_nothing_at_all(staff_admin):
    metadata = {"z": 1, "a": 1.0, "big": 2**70, "text": ODD_TEXT}
    session = make_session(title=" spaced ", metadata=metadata, created_at=timezone.now())
    before = Session.objects.filter(pk=session.pk).values().get()
    assert staff_admin.post(page(session, "change"), form_of(staff_admin, page(session, "change"))).status_code == 302
    after = Session.objects.filter(pk=session.pk).values().get()
    assert json.dumps(after, default=str) == json.dumps(before, default=str)
    assert not AuditEntry.objects.filter(action="session.update").exists()


def test_a_change_of_one_field_leaves_the_microseconds_and_line_ends_of_the_others(staff_admin):
    config = make_system_config(description=ODD_TEXT, value="on")
    workflow = make_workflow(description=ODD_TEXT, created_at=timezone.now().replace(microsecond=0) + MICROSECOND)
    form = {**form_of(staff_admin, page(workflow, "change")), "name": "Renamed"}
    assert staff_admin.post(page(workflow, "change"), form).status_code == 302
    stored = Workflow.objects.get(pk=workflow.pk)
    assert (stored.name, stored.description, stored.created_at) == ("Renamed", ODD_TEXT, workflow.created_at)
    form = {**form_of(staff_admin, page(config, "change")), "value": "off"}
    assert staff_admin.post(page(config, "change"), form).status_code == 302
    stored = SystemConfig.objects.get(pk=config.pk)
    assert (stored.value, stored.description, stored.version) == ("off", ODD_TEXT, 2)


def test_somebody_elses_change_in_the_meantime_is_not_overwritten(staff_admin):
    session = make_session(title="Old")
    form = {**form_of(staff_admin, page(session, "change")), "title": "Mine"}
    Session.objects.filter(pk=session.pk).update(title="Theirs", version=2)
    response = staff_admin.post(page(session, "change"), form)
    assert response.status_code == 200
    assert "in the meantime" in str(response.context["adminform"].form.non_field_errors())
    assert Session.objects.get(pk=session.pk).title == "Theirs"


@pytest.mark.parametrize(
    ("typed", "named"),
    [
        ('{"a": 1,\n "b": }', "line 2, column 7"),
        ('{"a": NaN}', "NaN is no JSON number"),
        ("[" * 100_000, "Not usable JSON"),
        ("[" * 100 + "]" * 100, "nested deeper"),
    ],
)
def test_a_mistake_in_json_is_named_and_what_was_typed_stays(staff_admin, typed, named):
    session = make_session()
    form = {**form_of(staff_admin, page(session, "change")), "metadata": typed}
    response = staff_admin.post(page(session, "change"), form)
    assert response.status_code == 200
    assert named in str(response.context["adminform"].form.errors["metadata"])
    assert response.context["adminform"].form["metadata"].value() == typed
    assert Session.objects.get(pk=session.pk).metadata == {}


def test_a_broken_rule_of_the_database_is_an_error_of_the_form(staff_admin, project):
    make_session(session_id="taken")
    form = {**form_of(staff_admin, page(Session, "add")), "project": project.pk, "session_id": "taken"}
    response = staff_admin.post(page(Session, "add"), form)
    assert response.status_code == 200
    assert response.context["adminform"].form.errors


def test_what_a_service_refuses_is_shown_at_its_field_with_what_was_typed(staff_admin):
    config = make_system_config(value_type="integer", value=5)
    form = {**form_of(staff_admin, page(config, "change")), "value": "five"}
    response = staff_admin.post(page(config, "change"), form)
    assert response.status_code == 200
    assert "whole number" in str(response.context["adminform"].form.errors["value"])
    assert SystemConfig.objects.get(pk=config.pk).value == 5


def test_an_api_key_is_shown_once_and_only_in_the_answer(staff_admin, project):
    form = {**form_of(staff_admin, page(ApiKey, "add")), "project": project.pk, "name": "crawler", "role": "agent"}
    response = staff_admin.post(page(ApiKey, "add"), form)
    assert response.status_code == 200
    assert "no-store" in response["Cache-Control"]
    token = response.context["token"]
    assert token in response.content.decode()
    assert api_key_authenticate(token=token, now=timezone.now()).name == "crawler"
    key = ApiKey.objects.get(name="crawler")
    for address in (page(key, "change"), page(ApiKey, "changelist"), page(key, "history"), "/admin/"):
        text = staff_admin.get(address).content.decode()
        assert token not in text
        assert key.key_hash not in text
    assert not any(token in str(cookie.value) for cookie in staff_admin.cookies.values())
    assert token not in json.dumps(list(AuditEntry.objects.values_list("changes", flat=True)))


def test_keys_are_revoked_by_an_action(staff_admin):
    key = make_api_key()
    staff_admin.post(page(ApiKey, "changelist"), {"action": "revoke", "_selected_action": [key.pk]})
    key.refresh_from_db()
    assert key.revoked_at is not None
    assert AuditEntry.objects.latest("number").action == "api_key.revoke"


def test_a_provider_key_is_written_and_never_read(staff_admin):
    secret = "sk-live-ABCDEFGHIJKLMNOPQRSTUVWX"
    owner = make_user_config()
    form = {"user_config": owner.pk, "provider": "openai", "secret": secret}
    assert staff_admin.post(page(ProviderKey, "add"), form).status_code == 302
    key = ProviderKey.objects.get(provider="openai")
    assert key.reveal() == secret
    for address in (page(key, "change"), page(ProviderKey, "changelist"), page(owner, "change")):
        text = staff_admin.get(address).content.decode()
        assert secret not in text
        assert key.sealed not in text
    assert secret not in json.dumps(list(AuditEntry.objects.values_list("changes", flat=True)))


def test_an_empty_key_field_keeps_the_stored_key_and_a_new_one_replaces_it(staff_admin):
    key = make_provider_key(secret="sk-first-0123456789abcdef")
    staff_admin.post(page(key, "change"), {"secret": ""})
    assert ProviderKey.objects.get(pk=key.pk).reveal() == "sk-first-0123456789abcdef"
    staff_admin.post(page(key, "change"), {"secret": "sk-second-0123456789abcdef"})
    assert ProviderKey.objects.get(pk=key.pk).reveal() == "sk-second-0123456789abcdef"
    assert staff_admin.post(page(ProviderKey, "add"), {"provider": "x", "secret": ""}).status_code == 200


def test_a_secret_inside_a_setting_stays_behind_its_mask(staff_admin, project):
    form = {"project": project.pk, "key": "gateway", "value_type": "json", "value": '{"api_key": "topsecret", "n": 1}'}
    assert staff_admin.post(page(SystemConfig, "add"), form).status_code == 302
    config = SystemConfig.objects.get(key="gateway")
    assert "topsecret" not in staff_admin.get(page(config, "change")).content.decode()
    form = form_of(staff_admin, page(config, "change"))
    form["value"] = form["value"].replace('"n": 1', '"n": 2')
    assert staff_admin.post(page(config, "change"), form).status_code == 302
    config.refresh_from_db()
    assert config.value["n"] == 2
    assert config.unseal() == {"/api_key": "topsecret"}


def test_a_deleted_source_is_brought_back_by_an_action(staff_admin):
    source = make_knowledge_source()
    staff_admin.post(page(source, "delete"), {"post": "yes"})
    source.refresh_from_db()
    assert source.deleted_at is not None
    staff_admin.post(page(type(source), "changelist"), {"action": "undelete", "_selected_action": [source.pk]})
    source.refresh_from_db()
    assert source.deleted_at is None


def test_preferences_and_documents_are_replaced_whole(staff_admin):
    config, document = make_user_config(preferences={"a": 1, "b": 2}), make_document(value={"a": 1, "b": 2})
    for row, name in ((config, "preferences"), (document, "value")):
        form = {**form_of(staff_admin, page(row, "change")), name: '{"b": 3}'}
        assert staff_admin.post(page(row, "change"), form).status_code == 302
    assert UserConfig.objects.get(pk=config.pk).preferences == {"b": 3}
    stored = Document.objects.get(pk=document.pk)
    assert (stored.value, stored.version) == ({"b": 3}, 2)


def test_deleting_a_session_says_what_goes_with_it_in_numbers(staff_admin):
    from tests.factories import make_message, make_subtask, make_task

    session = make_session()
    for _ in range(3):
        make_message(session=session)
    make_subtask(task=make_task(session=session))
    summary = staff_admin.get(page(session, "delete")).context["model_count"]
    assert dict(summary) | {"messages": "3", "tasks": "1", "subtasks": "1"} == dict(summary)
    staff_admin.post(page(session, "delete"), {"post": "yes"})
    assert not Session.objects.filter(pk=session.pk).exists()
    assert AuditEntry.objects.latest("number").action == "session.delete"


def test_a_project_that_holds_something_cannot_be_deleted(staff_admin, other_project):
    make_session(project=other_project)
    assert "Sessions: 1" in staff_admin.get(page(other_project, "delete")).content.decode()
    assert staff_admin.post(page(other_project, "delete"), {"post": "yes"}).status_code == 200
    other_project.refresh_from_db()


def test_selected_rows_are_deleted_one_audit_entry_each(staff_admin):
    rows = [make_session() for _ in range(3)]
    data = {"action": "delete_selected", "_selected_action": [row.pk for row in rows], "post": "yes"}
    assert staff_admin.post(page(Session, "changelist"), data).status_code == 302
    assert AuditEntry.objects.filter(action="session.delete").count() == 3
    assert audit_verify(project_id=default_project().pk) is None


def test_staff_are_made_changed_and_given_passwords_with_an_audit_that_holds_no_password(staff_admin):
    password = "correct horse battery"
    form = {"username": "ann", "password1": password, "password2": password, "usable_password": "true"}
    assert staff_admin.post(page(StaffUser, "add"), form).status_code == 302
    ann = StaffUser.objects.get(username="ann")
    assert ann.check_password(password)
    address = page(ann, "change").replace("/change/", "/password/")
    form = {"password1": password[::-1], "password2": password[::-1], "usable_password": "true"}
    assert staff_admin.post(address, form).status_code == 302
    ann.refresh_from_db()
    assert ann.check_password(password[::-1])
    actions = list(AuditEntry.objects.order_by("number").values_list("action", flat=True))
    assert actions[-2:] == ["staff_user.create", "staff_user.update"]
    assert ann.password not in json.dumps(list(AuditEntry.objects.values_list("changes", flat=True)))
