"""Every page of the admin answers, for every table that is registered."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.admin_rows import MODELS, OWN_MODELS, label, page, row_of

pytestmark = pytest.mark.django_db

# Tables that nobody adds to, changes or deletes from by hand.
VIEW_ONLY = {
    "auditchain",
    "auditentry",
    "configsnapshotentry",
    "configversion",
    "event",
    "externaldeletion",
    "job",
    "modelusage",
    "restore",
    "sessionactivity",
    "sessiondeletion",
    "sessionlabel",
    "sessionstate",
    "userusage",
}
NEVER_ADDED = VIEW_ONLY | {"accessattempt", "agentresidency", "backup"}


@pytest.mark.parametrize("model", MODELS, ids=label)
def test_the_list_answers_empty_full_and_searched(staff_admin, model):
    assert staff_admin.get(page(model, "changelist")).status_code == 200
    row_of(model)
    assert staff_admin.get(page(model, "changelist")).status_code == 200
    assert staff_admin.get(page(model, "changelist"), {"q": "nothing has this name"}).status_code == 200


@pytest.mark.parametrize("model", MODELS, ids=label)
def test_the_form_for_a_new_row_answers(staff_admin, model):
    expected = 403 if label(model) in NEVER_ADDED else 200
    assert staff_admin.get(page(model, "add")).status_code == expected


@pytest.mark.parametrize("model", MODELS, ids=label)
def test_the_pages_of_one_row_answer(staff_admin, model):
    row = row_of(model)
    assert staff_admin.get(page(row, "change")).status_code == 200
    assert staff_admin.get(page(row, "change"), {"edit": "1"}).status_code == 200
    assert staff_admin.get(page(row, "history")).status_code == 200
    expected = 403 if label(model) in VIEW_ONLY else 200
    assert staff_admin.get(page(row, "delete")).status_code == expected


@pytest.mark.parametrize("model", OWN_MODELS, ids=label)
def test_a_row_is_deleted_and_the_audit_says_so(staff_admin, model, settings, tmp_path):
    from sessions_app.models import AuditEntry, KnowledgeSource

    # Of backups nothing is forgotten while their folder is away.
    settings.BACKUP_DIR = tmp_path

    if label(model) in VIEW_ONLY:
        pytest.skip("nobody deletes these by hand")
    row = row_of(model)
    assert staff_admin.post(page(row, "delete"), {"post": "yes"}).status_code == 302
    if model is KnowledgeSource:
        assert KnowledgeSource.objects.get(pk=row.pk).deleted_at is not None
    else:
        assert not model._base_manager.filter(pk=row.pk).exists()
    entry = AuditEntry.objects.latest("number")
    assert entry.actor == "staff_admin"
    assert "delete" in entry.action


@pytest.mark.parametrize("model", OWN_MODELS, ids=label)
def test_a_list_takes_as_many_queries_for_many_rows_as_for_one(staff_admin, model):
    staff_admin.get(page(model, "changelist"))
    if label(model) in {"auditchain"}:
        pytest.skip("one row a project")
    if label(model) == "staffuser":
        pytest.skip("made once by name")
    row_of(model)
    with CaptureQueriesContext(connection) as one:
        staff_admin.get(page(model, "changelist"))
    for _ in range(5):
        row_of(model)
    with CaptureQueriesContext(connection) as many:
        staff_admin.get(page(model, "changelist"))
    assert len(many) == len(one) <= 8


def test_every_table_of_the_product_is_registered():
    from django.apps import apps

    tables = {
        model
        for app in ("sessions_app", "history_app", "backups_app", "analytics_app")
        for model in apps.get_app_config(app).get_models()
        # Indexes and counts are made of other rows, and kept answers are sealed: there is nothing in them for people.
        if not model._meta.auto_created
        and not model.__name__.startswith(
            ("Search", "KeptAnswer", "Arrival", "SessionCount", "RollupState", "UsageChange")
        )
    }
    assert tables <= set(MODELS)


def test_who_is_not_logged_in_is_sent_to_the_login(client):
    response = client.get("/admin/sessions_app/session/")
    assert response.status_code == 302
    assert response["Location"].startswith("/admin/login/")
