"""The database itself notes in which hours recorded usage was changed or removed, whoever does it."""

from django.db import migrations

USAGE = "history_app_tokenusage"
NOTES = "analytics_app_usagechange"
# What the sums are made of.
WATCHED = (
    "project_id",
    "timestamp",
    "user_id",
    "model",
    "provider",
    "prompt_tokens",
    "completion_tokens",
    "total_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "cost",
    "source",
    "record_id",
    "cost_record_id",
)
NAMES = ("usage_removed", "usage_changed")

_SQLITE_NOTE = """
INSERT INTO {notes} (project_id, hour)
SELECT {row}.project_id, SUBSTR({row}.timestamp, 1, 13) || ':00:00'
WHERE NOT EXISTS (
    SELECT 1 FROM {notes}
    WHERE project_id = {row}.project_id AND hour = SUBSTR({row}.timestamp, 1, 13) || ':00:00'
);
"""
# There is one writer at a time, so a note that is there already is one that is still to be looked at.
SQLITE = (
    "CREATE TRIGGER usage_removed AFTER DELETE ON {usage} BEGIN " + _SQLITE_NOTE.replace("{row}", "OLD") + " END",
    "CREATE TRIGGER usage_changed AFTER UPDATE ON {usage} WHEN {differs} BEGIN "
    + _SQLITE_NOTE.replace("{row}", "OLD")
    + _SQLITE_NOTE.replace("{row}", "NEW")
    + " END",
)
POSTGRESQL = (
    """
    CREATE OR REPLACE FUNCTION usage_removed_note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        INSERT INTO {notes} (project_id, hour)
        SELECT DISTINCT project_id, DATE_TRUNC('hour', timestamp, 'UTC') FROM removed;
        RETURN NULL;
    END $$
    """,
    """
    CREATE OR REPLACE FUNCTION usage_changed_note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        INSERT INTO {notes} (project_id, hour)
        SELECT DISTINCT row.project_id, DATE_TRUNC('hour', row.timestamp, 'UTC')
        FROM before AS was JOIN after AS became USING (id)
        CROSS JOIN LATERAL (VALUES (was.project_id, was.timestamp), (became.project_id, became.timestamp))
            AS row (project_id, timestamp)
        WHERE {differs};
        RETURN NULL;
    END $$
    """,
    """
    CREATE TRIGGER usage_removed AFTER DELETE ON {usage} REFERENCING OLD TABLE AS removed
    FOR EACH STATEMENT EXECUTE FUNCTION usage_removed_note()
    """,
    """
    CREATE TRIGGER usage_changed AFTER UPDATE ON {usage} REFERENCING OLD TABLE AS before NEW TABLE AS after
    FOR EACH STATEMENT EXECUTE FUNCTION usage_changed_note()
    """,
)
_MARIADB_NOTE = """
INSERT INTO {notes} (project_id, hour)
VALUES ({row}.project_id, CAST(DATE_FORMAT({row}.timestamp, '%Y-%m-%d %H:00:00') AS DATETIME(6)));
"""
MARIADB = (
    "CREATE TRIGGER usage_removed AFTER DELETE ON {usage} FOR EACH ROW " + _MARIADB_NOTE.replace("{row}", "OLD"),
    "CREATE TRIGGER usage_changed AFTER UPDATE ON {usage} FOR EACH ROW BEGIN IF {differs} THEN "
    + _MARIADB_NOTE.replace("{row}", "OLD")
    + _MARIADB_NOTE.replace("{row}", "NEW")
    + " END IF; END",
)
TRIGGERS = {"sqlite": SQLITE, "postgresql": POSTGRESQL, "mysql": MARIADB}
DIFFER = {
    "sqlite": "OLD.{0} IS NOT NEW.{0}",
    "postgresql": "was.{0} IS DISTINCT FROM became.{0}",
    "mysql": "NOT (OLD.{0} <=> NEW.{0})",
}


def note_changes(apps, schema_editor):
    """Create the triggers; safe to run again."""
    forget_changes(apps, schema_editor)
    vendor = schema_editor.connection.vendor
    differs = " OR ".join(DIFFER[vendor].format(column) for column in WATCHED)
    for statement in TRIGGERS[vendor]:
        schema_editor.execute(statement.format(usage=USAGE, notes=NOTES, differs=differs), params=None)


def forget_changes(apps, schema_editor):
    """Drop the triggers where they are."""
    is_postgresql = schema_editor.connection.vendor == "postgresql"
    for name in NAMES:
        schema_editor.execute(f"DROP TRIGGER IF EXISTS {name}" + (f" ON {USAGE}" if is_postgresql else ""))
        if is_postgresql:
            schema_editor.execute(f"DROP FUNCTION IF EXISTS {name}_note()")


class Migration(migrations.Migration):
    """Adds the triggers."""

    # MariaDB cannot roll back such statements; running them again does no harm.
    atomic = False

    dependencies = [("analytics_app", "0001_prices_and_rollups"), ("history_app", "0005_usage_price_source")]

    operations = [migrations.RunPython(note_changes, forget_changes)]
