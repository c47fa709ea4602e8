"""Agent residency: which sessions have their agent in some process's memory right now."""

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from config.shared.callers import Caller
from config.shared.fields import IdField
from sessions_app.models.sessions import Session


class AgentResidencyQuerySet(models.QuerySet["AgentResidency"]):
    """Which agents are in memory."""

    def visible_to(self, caller: Caller) -> "AgentResidencyQuerySet":
        """Return residencies of sessions in the caller's projects."""
        return self if caller.project_ids is None else self.filter(session__project_id__in=caller.project_ids)


class AgentResidency(models.Model):
    """One row is one agent held in memory for a session; releasing the agent deletes the row and nothing else."""

    session = models.OneToOneField(
        Session,
        models.CASCADE,
        verbose_name=_("session"),
        primary_key=True,
        related_name="residency",
    )
    agent_id = IdField(_("agent id"))
    host = models.CharField(_("host"), max_length=255, blank=True, default="")
    resident_since = models.DateTimeField(_("resident since"), default=timezone.now)
    heartbeat_at = models.DateTimeField(_("last heartbeat"), default=timezone.now)

    objects = AgentResidencyQuerySet.as_manager()

    class Meta:
        verbose_name = _("resident agent")
        verbose_name_plural = _("resident agents")
        constraints = [
            models.CheckConstraint(
                condition=models.Q(heartbeat_at__gte=models.F("resident_since")),
                name="residency_heartbeat_after_start",
            ),
        ]
        indexes = [
            # Idle agents: those whose heartbeat is older than a moment.
            models.Index(fields=["heartbeat_at"], name="residency_by_heartbeat"),
        ]

    def __str__(self) -> str:
        return f"{self.agent_id}@{self.host}" if self.host else self.agent_id
