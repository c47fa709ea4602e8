"""Session state: every version is a row, the newest is the current one, the others are checkpoints."""

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from config.shared.callers import Caller
from config.shared.fields import IdField, JSONTextField
from sessions_app.models.sessions import Session


class SessionStateQuerySet(models.QuerySet["SessionState"]):
    """Which versions of which state."""

    def visible_to(self, caller: Caller) -> "SessionStateQuerySet":
        """Return the states of sessions in the caller's projects."""
        return self if caller.project_ids is None else self.filter(session__project_id__in=caller.project_ids)

    def current(self) -> "SessionStateQuerySet":
        """Return the newest version of each session's state."""
        newer = SessionState.objects.filter(session=models.OuterRef("session"), version__gt=models.OuterRef("version"))
        return self.filter(~models.Exists(newer))


class SessionState(models.Model):
    """One row is one version of a session's state: where the agent stood (document 000, 2.1.2)."""

    session = models.ForeignKey(
        Session,
        models.CASCADE,
        verbose_name=_("session"),
        related_name="states",
        db_index=False,
    )
    version = models.PositiveIntegerField(_("version"), default=1)
    current_step = models.CharField(_("current step"), max_length=255, blank=True, default="")
    iteration_count = models.PositiveIntegerField(_("iterations"), null=True, blank=True)
    max_iterations = models.PositiveIntegerField(_("iterations at most"), null=True, blank=True)
    workflow_name = IdField(_("workflow name"), blank=True, default="")
    start_time = models.DateTimeField(_("start time"), null=True, blank=True)
    errors = JSONTextField(_("errors"), default=list)
    tool_results = JSONTextField(_("tool results"), default=list)
    data = JSONTextField(_("data"), default=dict)
    created_at = models.DateTimeField(_("created at"), default=timezone.now)

    objects = SessionStateQuerySet.as_manager()

    class Meta:
        verbose_name = _("session state")
        verbose_name_plural = _("session states")
        constraints = [
            # Also serves "the newest version of one session".
            models.UniqueConstraint(fields=["session", "version"], name="state_version_once_per_session"),
            models.CheckConstraint(condition=Q(version__gte=1), name="state_version_positive"),
        ]

    def __str__(self) -> str:
        return f"v{self.version} {self.current_step}".strip()
