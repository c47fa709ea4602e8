"""Events: what happened, for those outside who want to be told; webhooks deliver them."""

from typing import Self

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from config.shared.fields import IdField, JSONTextField
from config.shared.querysets import ProjectQuerySet
from sessions_app.models.accounts import Project


class EventQuerySet(ProjectQuerySet):
    """Which events."""

    def waiting(self) -> Self:
        """Return the events that nobody was told of yet, in the order of their making."""
        return self.filter(delivered_at__isnull=True).order_by("pk")


class Event(models.Model):
    """One row is one thing that happened, written in the transaction in which it happened."""

    class Kind(models.TextChoices):
        """What can happen."""

        SESSION_CREATED = "session.created", _("session created")
        SESSION_UPDATED = "session.updated", _("session updated")
        SESSION_RELEASED = "session.released", _("agent released")
        SESSION_EXPIRED = "session.expired", _("session expired")
        SESSION_DELETED = "session.deleted", _("session deleted")
        BACKUP_MADE = "backup.made", _("backup made")
        BACKUP_FAILED = "backup.failed", _("backup failed")
        JOB_PARKED = "job.parked", _("job parked")

    project = models.ForeignKey(
        Project, models.CASCADE, verbose_name=_("project"), null=True, blank=True, db_index=False
    )
    kind = IdField(_("kind"), max_length=64)
    subject = IdField(_("subject"), help_text=_("The id of what it happened to."))
    payload = JSONTextField(_("payload"), default=dict)
    created_at = models.DateTimeField(_("created at"), default=timezone.now)
    delivered_at = models.DateTimeField(_("delivered at"), null=True, blank=True)

    objects = EventQuerySet.as_manager()

    class Meta:
        verbose_name = _("event")
        verbose_name_plural = _("events")
        constraints = [
            models.CheckConstraint(condition=~Q(kind=""), name="event_kind_not_empty"),
        ]
        indexes = [
            # What waits for delivery, in order, and what was delivered long ago; the only index, for writing is hot.
            models.Index(fields=["delivered_at", "id"], name="event_by_delivery"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.subject}"
