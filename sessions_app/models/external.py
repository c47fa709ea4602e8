"""Sessions in other systems that are to be deleted there because theirs here was."""

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from config.shared.fields import IdField, JSONTextField
from config.shared.querysets import ProjectQuerySet
from sessions_app.models.accounts import Project


class ExternalDeletion(models.Model):
    """One row is one session of another system, written when its session here was deleted, and tried until it is done.

    `external_id` is what the session's `external_ids` had under the connector's name.
    """

    project = models.ForeignKey(Project, models.PROTECT, verbose_name=_("project"), db_index=False)
    connector = IdField(_("connector"), max_length=64)
    external_id = JSONTextField(_("external id"))
    session_id = IdField(_("session id"))
    attempts = models.PositiveIntegerField(_("attempts"), default=0)
    last_error = models.TextField(_("last error"), blank=True, default="")
    created_at = models.DateTimeField(_("created at"), default=timezone.now)
    next_attempt_at = models.DateTimeField(_("next attempt"), null=True, blank=True, default=timezone.now)
    done_at = models.DateTimeField(_("done at"), null=True, blank=True)

    objects = ProjectQuerySet.as_manager()

    class Meta:
        verbose_name = _("external deletion")
        verbose_name_plural = _("external deletions")
        constraints = [
            models.CheckConstraint(
                condition=Q(done_at__isnull=True, next_attempt_at__isnull=False)
                | Q(done_at__isnull=False, next_attempt_at__isnull=True),
                name="external_deletion_done_or_due",
            ),
        ]
        indexes = [
            # What the scheduled job tries next.
            models.Index(fields=["next_attempt_at"], name="external_deletion_due"),
            # The list page.
            models.Index(fields=["project", "created_at", "id"], name="external_deletion_by_created"),
        ]

    def __str__(self) -> str:
        return f"{self.connector}: {self.session_id}"
