"""The database itself refuses to change or remove an audit entry."""

from importlib import import_module

import pytest
from django.db import DatabaseError, connection, transaction

from sessions_app.models import AuditEntry
from tests import factories

migration = import_module("sessions_app.migrations.0002_audit_append_only")


@pytest.fixture
def guarded(transactional_db):
    """The triggers as the migration makes them (the test database has the one against removal taken out)."""
    with connection.schema_editor(atomic=False) as editor:
        migration.refuse_changes(None, editor)
    yield
    if connection.vendor != "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("DROP TRIGGER IF EXISTS audit_no_delete")


@pytest.fixture
def entry(guarded):
    return factories.make_audit_entry()


def test_an_entry_cannot_be_changed(entry):
    with pytest.raises(DatabaseError, match="never changed"), transaction.atomic():
        AuditEntry.objects.filter(pk=entry.pk).update(actor="somebody else")
    assert AuditEntry.objects.get(pk=entry.pk).actor == "ada"


def test_an_entry_cannot_be_removed(entry):
    with pytest.raises(DatabaseError, match="never changed"), transaction.atomic():
        entry.delete()
    assert AuditEntry.objects.filter(number=entry.number).exists()
