"""Session state: every version is a row, the newest is the current one, the others are checkpoints."""

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from config.shared.callers import Caller
from config.shared.fields import IdField, JSONTextField
from sessions_app.models.sessions import Session, SessionDeletion


class SessionStateQuerySet(models.QuerySet["SessionState"]):
    """Which versions of which state."""

    def visible_to(self, caller: Caller) -> "SessionStateQuerySet":
        """Return the states of sessions in the caller's projects."""
        rows = self.exclude(session_id__in=SessionDeletion.objects.values("session_id"))
        return rows if caller.project_ids is None else rows.filter(session__project_id__in=caller.project_ids)

    def current(self) -> "SessionStateQuerySet":
        """Return the newest version of each session's state."""
        return self.filter(is_current=True)


class SessionState(models.Model):
    """One row is one version of a session's state: where the agent stood (document 000, 2.1.2).

    `is_current` is true of the newest version and NULL of the checkpoints, so that a plain unique constraint keeps one
    current version a session on every database. `turn_id` is the client's own name for the turn that wrote the version.
    """

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
    turn_id = IdField(_("turn id"), blank=True, default="")
    is_current = models.BooleanField(_("current"), null=True, blank=True, default=None)
    created_at = models.DateTimeField(_("created at"), default=timezone.now)

    objects = SessionStateQuerySet.as_manager()

    class Meta:
        verbose_name = _("session state")
        verbose_name_plural = _("session states")
        constraints = [
            # Also serves "the newest version of one session".
            models.UniqueConstraint(fields=["session", "version"], name="state_version_once_per_session"),
            models.CheckConstraint(condition=Q(version__gte=1), name="state_version_positive"),
            # Also serves "the current version of one session"; NULLs are distinct.
            models.UniqueConstraint(fields=["session", "is_current"], name="state_current_once_per_session"),
            models.CheckConstraint(
                condition=Q(is_current__isnull=True) | Q(is_current=True), name="state_current_or_null"
            ),
        ]
        indexes = [
            # Sessions by where they stand now: current_step=, workflow_name=, iteration_count_min= and _max=.
            models.Index(
                fields=["is_current", "current_step", "session"],
                name="state_by_step",
                condition=Q(is_current=True),
            ),
            models.Index(
                fields=["is_current", "workflow_name", "session"],
                name="state_by_workflow",
                condition=Q(is_current=True),
            ),
            models.Index(
                fields=["is_current", "iteration_count", "session"],
                name="state_by_iteration",
                condition=Q(is_current=True),
            ),
        ]

    def __str__(self) -> str:
        return f"v{self.version} {self.current_step}".strip()
