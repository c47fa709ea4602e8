"""Fencing tokens: of each lease, and the newest of each session beside its other counters."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    """Adds the tokens; leases without one end."""

    dependencies = [("sessions_app", "0004_state_current")]

    operations = [
        # Agents that are in memory say so again with their next heartbeat.
        migrations.RunSQL("DELETE FROM sessions_app_agentresidency", migrations.RunSQL.noop),
        migrations.AddField(
            "agentresidency",
            "fence",
            models.BigIntegerField(verbose_name="fencing token", default=1),
            preserve_default=False,
        ),
        migrations.AddField(
            "agentresidency",
            "project",
            models.ForeignKey(
                "sessions_app.project",
                django.db.models.deletion.PROTECT,
                verbose_name="project",
                db_constraint=False,
                db_index=False,
                default=1,
            ),
            preserve_default=False,
        ),
        migrations.AddField(
            "sessionactivity",
            "last_fence",
            models.BigIntegerField(verbose_name="last fencing token", default=0, db_default=0),
        ),
        migrations.AddIndex(
            "agentresidency",
            models.Index(fields=["project", "heartbeat_at", "session"], name="residency_by_project"),
        ),
        migrations.AddConstraint(
            "agentresidency",
            models.CheckConstraint(condition=models.Q(fence__gte=1), name="residency_fence_positive"),
        ),
        migrations.AddConstraint(
            "sessionactivity",
            models.CheckConstraint(condition=models.Q(last_fence__gte=0), name="activity_fence_not_negative"),
        ),
    ]
