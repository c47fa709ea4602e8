"""Deletions: of sessions whose rows are still being removed, and of their sessions in other systems."""

import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models

import config.shared.fields


class Migration(migrations.Migration):
    """Adds both tables."""

    dependencies = [("sessions_app", "0009_session_counts")]

    operations = [
        migrations.CreateModel(
            "SessionDeletion",
            [
                (
                    "session",
                    models.OneToOneField(
                        "sessions_app.session",
                        django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="deletion",
                        serialize=False,
                        verbose_name="session",
                    ),
                ),
                ("former_id", config.shared.fields.IdField(max_length=255, verbose_name="session id")),
                (
                    "requested_at",
                    models.DateTimeField(default=django.utils.timezone.now, verbose_name="requested at"),
                ),
            ],
            options={"verbose_name": "session deletion", "verbose_name_plural": "session deletions"},
        ),
        migrations.CreateModel(
            "ExternalDeletion",
            [
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("connector", config.shared.fields.IdField(max_length=64, verbose_name="connector")),
                (
                    "external_id",
                    config.shared.fields.JSONTextField(blank=True, default=None, null=True, verbose_name="external id"),
                ),
                ("session_id", config.shared.fields.IdField(max_length=255, verbose_name="session id")),
                ("attempts", models.PositiveIntegerField(default=0, verbose_name="attempts")),
                ("last_error", models.TextField(blank=True, default="", verbose_name="last error")),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now, verbose_name="created at")),
                (
                    "next_attempt_at",
                    models.DateTimeField(
                        blank=True, default=django.utils.timezone.now, null=True, verbose_name="next attempt"
                    ),
                ),
                ("done_at", models.DateTimeField(blank=True, null=True, verbose_name="done at")),
                (
                    "project",
                    models.ForeignKey(
                        "sessions_app.project",
                        django.db.models.deletion.PROTECT,
                        db_index=False,
                        verbose_name="project",
                    ),
                ),
            ],
            options={
                "verbose_name": "external deletion",
                "verbose_name_plural": "external deletions",
                "indexes": [
                    models.Index(fields=["next_attempt_at"], name="external_deletion_due"),
                    models.Index(fields=["project", "created_at", "id"], name="external_deletion_by_created"),
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(done_at__isnull=True, next_attempt_at__isnull=False)
                        | models.Q(done_at__isnull=False, next_attempt_at__isnull=True),
                        name="external_deletion_done_or_due",
                    )
                ],
            },
        ),
    ]
