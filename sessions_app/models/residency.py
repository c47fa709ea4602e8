"""Agent residency: which sessions have their agent in some process's memory right now, and under which lease."""

from datetime import datetime
from typing import Self

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from config.shared.fields import IdField
from config.shared.querysets import ProjectQuerySet
from sessions_app.models.accounts import Project
from sessions_app.models.sessions import Session


class AgentResidencyQuerySet(ProjectQuerySet):
    """Which agents are in memory."""

    def idle_since(self, moment: datetime) -> Self:
        """Return agents whose last heartbeat is not later than this."""
        return self.filter(heartbeat_at__lte=moment)


class AgentResidency(models.Model):
    """One row is one agent held in memory for a session; releasing the agent deletes the row and nothing else.

    `fence` is the token of its lease. The newest one that was ever given out stands in the session's activity, which
    outlives this row. With REDIS_URL this table is empty: leases are kept in Redis.
    """

    # The project is always the session's; it stands here so that counts need no join.
    project = models.ForeignKey(Project, models.PROTECT, verbose_name=_("project"), db_index=False, db_constraint=False)
    session = models.OneToOneField(
        Session,
        models.CASCADE,
        verbose_name=_("session"),
        primary_key=True,
        related_name="residency",
    )
    agent_id = IdField(_("agent id"))
    host = models.CharField(_("host"), max_length=255, blank=True, default="")
    fence = models.BigIntegerField(_("fencing token"))
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
            models.CheckConstraint(condition=models.Q(fence__gte=1), name="residency_fence_positive"),
        ]
        indexes = [
            # Idle agents of all projects: those whose heartbeat is older than a moment.
            models.Index(fields=["heartbeat_at"], name="residency_by_heartbeat"),
            # The list of a project, newest heartbeat first, and its counts.
            models.Index(fields=["project", "heartbeat_at", "session"], name="residency_by_project"),
        ]

    def __str__(self) -> str:
        return f"{self.agent_id}@{self.host}" if self.host else self.agent_id
