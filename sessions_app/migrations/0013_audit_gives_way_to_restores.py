"""On MariaDB a restore cannot take the triggers of the audit log away within its transaction; they let it pass."""

from django.db import migrations

MESSAGE = "audit entries are never changed or removed"

# The variable is the session's own: other connections are refused as before.
TRIGGER = f"""
CREATE TRIGGER audit_no_{{verb}} BEFORE {{VERB}} ON sessions_app_auditentry
FOR EACH ROW BEGIN
    IF @agentledger_restoring IS NULL THEN SIGNAL SQLSTATE '23000' SET MESSAGE_TEXT = '{MESSAGE}'; END IF;
END
"""
FORMER = f"""
CREATE TRIGGER audit_no_{{verb}} BEFORE {{VERB}} ON sessions_app_auditentry
FOR EACH ROW SIGNAL SQLSTATE '23000' SET MESSAGE_TEXT = '{MESSAGE}'
"""


def _put(schema_editor, trigger):
    if schema_editor.connection.vendor != "mysql":
        return
    for verb in ("update", "delete"):
        schema_editor.execute(f"DROP TRIGGER IF EXISTS audit_no_{verb}")
        schema_editor.execute(trigger.format(verb=verb, VERB=verb.upper()), None)


def give_way(apps, schema_editor):
    """Put the triggers that let a restore pass; safe to run again."""
    _put(schema_editor, TRIGGER)


def refuse_all(apps, schema_editor):
    """Put the former triggers back."""
    _put(schema_editor, FORMER)


class Migration(migrations.Migration):
    """Changes the triggers."""

    # MariaDB cannot roll back such statements.
    atomic = False

    dependencies = [("sessions_app", "0012_config_history")]

    operations = [migrations.RunPython(give_way, refuse_all)]
