"""The audit log is append-only: the database itself refuses to change or remove an entry."""

from django.db import migrations

MESSAGE = "audit entries are never changed or removed"

SQLITE = """
CREATE TRIGGER audit_no_{verb} BEFORE {VERB} ON sessions_app_auditentry
BEGIN SELECT RAISE(ABORT, '{message}'); END
"""
POSTGRESQL_FUNCTION = f"""
CREATE OR REPLACE FUNCTION audit_refuse() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION '{MESSAGE}' USING ERRCODE = 'integrity_constraint_violation'; END $$
"""
POSTGRESQL = """
CREATE TRIGGER audit_no_{verb} BEFORE {VERB} ON sessions_app_auditentry
FOR EACH ROW EXECUTE FUNCTION audit_refuse()
"""
MARIADB = """
CREATE TRIGGER audit_no_{verb} BEFORE {VERB} ON sessions_app_auditentry
FOR EACH ROW SIGNAL SQLSTATE '23000' SET MESSAGE_TEXT = '{message}'
"""
TRIGGERS = {"sqlite": SQLITE, "postgresql": POSTGRESQL, "mysql": MARIADB}


def refuse_changes(apps, schema_editor):
    """Create the two triggers; safe to run again."""
    vendor = schema_editor.connection.vendor
    allow_changes(apps, schema_editor)
    if vendor == "postgresql":
        schema_editor.execute(POSTGRESQL_FUNCTION)
    for verb in ("update", "delete"):
        schema_editor.execute(TRIGGERS[vendor].format(verb=verb, VERB=verb.upper(), message=MESSAGE))


def allow_changes(apps, schema_editor):
    """Drop the two triggers where they are."""
    on_table = " ON sessions_app_auditentry" if schema_editor.connection.vendor == "postgresql" else ""
    for verb in ("update", "delete"):
        schema_editor.execute(f"DROP TRIGGER IF EXISTS audit_no_{verb}{on_table}")


class Migration(migrations.Migration):
    """Adds the triggers."""

    # MariaDB cannot roll back such statements; running them again does no harm.
    atomic = False

    dependencies = [("sessions_app", "0001_initial")]

    operations = [migrations.RunPython(refuse_changes, allow_changes)]
