"""Sessions are counted as they come, change and go; the sweep of expired ones gets an index by status."""

# Every name in these statements stands in this file.
# ruff: noqa: S608

import django.db.models.deletion
from django.db import migrations, models

SESSIONS, COUNTS = "sessions_app_session", "sessions_app_sessioncount"

SQLITE_ADD = f"""
    INSERT INTO {COUNTS} (project_id, status, shard, "count") SELECT {{row}}.project_id, {{row}}.status, 0, 0
    WHERE NOT EXISTS (
        SELECT 1 FROM {COUNTS} WHERE project_id = {{row}}.project_id AND status = {{row}}.status AND shard = 0
    );
    UPDATE {COUNTS} SET "count" = "count" + {{number}}
    WHERE project_id = {{row}}.project_id AND status = {{row}}.status AND shard = 0;
"""
SQLITE_ONE_MORE = SQLITE_ADD.format(row="NEW", number=1)
SQLITE_ONE_LESS = SQLITE_ADD.format(row="OLD", number=-1)
SQLITE = {
    "insert": f"CREATE TRIGGER session_counted_insert AFTER INSERT ON {SESSIONS} BEGIN {SQLITE_ONE_MORE} END",
    "update": f"""
        CREATE TRIGGER session_counted_update AFTER UPDATE OF status, project_id ON {SESSIONS}
        WHEN OLD.status <> NEW.status OR OLD.project_id <> NEW.project_id
        BEGIN {SQLITE_ONE_LESS} {SQLITE_ONE_MORE} END
    """,
    "delete": f"CREATE TRIGGER session_counted_delete AFTER DELETE ON {SESSIONS} BEGIN {SQLITE_ONE_LESS} END",
}

# Once a statement, however many sessions it makes or changes.
POSTGRESQL_FUNCTION = f"""
CREATE OR REPLACE FUNCTION session_counted_{{verb}}() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO {COUNTS} AS kept (project_id, status, shard, "count")
    SELECT project_id, status, pg_backend_pid() % 64, sum(number) FROM ({{changes}}) AS changed
    GROUP BY project_id, status HAVING sum(number) <> 0 ORDER BY project_id, status
    ON CONFLICT (project_id, status, shard) DO UPDATE SET "count" = kept."count" + excluded."count";
    RETURN NULL;
END $$
"""
POSTGRESQL_TRIGGER = f"""
CREATE TRIGGER session_counted_{{verb}} AFTER {{verb}} ON {SESSIONS}
REFERENCING {{tables}} FOR EACH STATEMENT EXECUTE FUNCTION session_counted_{{verb}}()
"""
ADDED = "SELECT project_id, status, 1 AS number FROM added"
GONE = "SELECT project_id, status, -1 AS number FROM gone"
POSTGRESQL = {
    "insert": (ADDED, "NEW TABLE AS added"),
    "update": (f"{ADDED} UNION ALL {GONE}", "NEW TABLE AS added OLD TABLE AS gone"),
    "delete": (GONE, "OLD TABLE AS gone"),
}

MARIADB_ADD = f"""
    INSERT INTO {COUNTS} (project_id, status, shard, `count`)
    VALUES ({{row}}.project_id, {{row}}.status, CONNECTION_ID() % 64, {{number}})
    ON DUPLICATE KEY UPDATE `count` = `count` + {{number}};
"""
MARIADB_ONE_MORE = MARIADB_ADD.format(row="NEW", number=1)
MARIADB_ONE_LESS = MARIADB_ADD.format(row="OLD", number=-1)
MARIADB_BODY = {
    "insert": MARIADB_ONE_MORE,
    "update": f"""
        IF OLD.status <> NEW.status OR OLD.project_id <> NEW.project_id THEN {MARIADB_ONE_LESS} {MARIADB_ONE_MORE}
        END IF;
    """,
    "delete": MARIADB_ONE_LESS,
}


def count(apps, schema_editor):
    """Create the triggers and count what is there; safe to run again."""
    uncount(apps, schema_editor)
    vendor = schema_editor.connection.vendor
    for verb in ("insert", "update", "delete"):
        if vendor == "sqlite":
            schema_editor.execute(SQLITE[verb], None)
        elif vendor == "postgresql":
            changes, tables = POSTGRESQL[verb]
            schema_editor.execute(POSTGRESQL_FUNCTION.format(verb=verb, changes=changes), None)
            schema_editor.execute(POSTGRESQL_TRIGGER.format(verb=verb, tables=tables), None)
        else:
            schema_editor.execute(
                f"CREATE TRIGGER session_counted_{verb} AFTER {verb} ON {SESSIONS} "
                f"FOR EACH ROW BEGIN {MARIADB_BODY[verb]} END",
                None,
            )
    quote = schema_editor.connection.ops.quote_name
    schema_editor.execute(f"DELETE FROM {COUNTS}")
    schema_editor.execute(
        f"INSERT INTO {COUNTS} (project_id, status, shard, {quote('count')}) "
        f"SELECT project_id, status, 0, count(*) FROM {SESSIONS} GROUP BY project_id, status"
    )


def uncount(apps, schema_editor):
    """Drop the triggers where they are."""
    on_table = f" ON {SESSIONS}" if schema_editor.connection.vendor == "postgresql" else ""
    for verb in ("insert", "update", "delete"):
        schema_editor.execute(f"DROP TRIGGER IF EXISTS session_counted_{verb}{on_table}")


class Migration(migrations.Migration):
    """Adds the counts with their triggers, and changes the index of what is due to expire."""

    # MariaDB cannot roll back such statements.
    atomic = False

    dependencies = [("sessions_app", "0008_activity_revision")]

    operations = [
        migrations.CreateModel(
            "SessionCount",
            [
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "project_id", "status", "shard", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("status", models.CharField(max_length=16, verbose_name="status")),
                ("shard", models.PositiveSmallIntegerField(verbose_name="part")),
                ("count", models.BigIntegerField(default=0, verbose_name="count")),
                (
                    "project",
                    models.ForeignKey(
                        "sessions_app.project",
                        django.db.models.deletion.CASCADE,
                        verbose_name="project",
                        db_constraint=False,
                        db_index=False,
                    ),
                ),
            ],
            options={"verbose_name": "session count", "verbose_name_plural": "session counts"},
        ),
        migrations.RunPython(count, uncount),
        migrations.RemoveIndex("session", "session_by_expiry"),
        migrations.AddIndex(
            "session",
            models.Index(
                fields=["status", "expires_at", "project"],
                name="session_due",
                condition=models.Q(expires_at__isnull=False),
            ),
        ),
    ]
