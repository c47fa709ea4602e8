"""Tasks and subtasks: what a session was asked to do, and the steps it was cut into (document 002)."""

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from config.shared.callers import Caller
from config.shared.fields import IdField, JSONTextField
from sessions_app.models import OfSessionQuerySet, Project, Session, SessionDeletion


class WorkStatus(models.TextChoices):
    """How far a task or subtask is."""

    PENDING = "pending", _("pending")
    IN_PROGRESS = "in_progress", _("in progress")
    COMPLETED = "completed", _("completed")
    FAILED = "failed", _("failed")
    CANCELLED = "cancelled", _("cancelled")


OPEN_WORK = (WorkStatus.PENDING, WorkStatus.IN_PROGRESS)
KNOWN_STATUS = Q(status__in=["pending", "in_progress", "completed", "failed", "cancelled"])


class Task(models.Model):
    """One row is one request of a user that the agent works on."""

    project = models.ForeignKey(Project, models.PROTECT, verbose_name=_("project"), db_index=False)
    session = models.ForeignKey(Session, models.CASCADE, verbose_name=_("session"), db_index=False)
    record_id = IdField(_("record id"))
    user_input = models.TextField(_("user input"))
    status = models.CharField(_("status"), max_length=16, choices=WorkStatus, default=WorkStatus.PENDING)
    results = JSONTextField(_("results"))
    metadata = JSONTextField(_("metadata"), default=dict)
    created_at = models.DateTimeField(_("created at"), default=timezone.now)
    updated_at = models.DateTimeField(_("updated at"), default=timezone.now)

    objects = OfSessionQuerySet.as_manager()

    class Meta:
        verbose_name = _("task")
        verbose_name_plural = _("tasks")
        constraints = [
            models.UniqueConstraint(fields=["session", "record_id"], name="task_record_once"),
            models.CheckConstraint(condition=KNOWN_STATUS, name="task_status_known"),
        ]
        indexes = [
            # The list page.
            models.Index(fields=["project", "created_at", "id"], name="task_by_created"),
            # status=, newest first.
            models.Index(fields=["project", "status", "created_at"], name="task_by_status"),
            # The tasks of one session in order.
            models.Index(fields=["session", "created_at"], name="task_by_session"),
        ]

    def __str__(self) -> str:
        return self.user_input[:80]


class SubtaskQuerySet(models.QuerySet["Subtask"]):
    """Which subtasks."""

    def visible_to(self, caller: Caller) -> "SubtaskQuerySet":
        """Return subtasks of tasks in the caller's projects."""
        rows = self.exclude(task__session_id__in=SessionDeletion.objects.values("session_id"))
        return rows if caller.project_ids is None else rows.filter(task__project_id__in=caller.project_ids)


class Subtask(models.Model):
    """One row is one step of a task, by its index from 0."""

    task = models.ForeignKey(
        Task,
        models.CASCADE,
        verbose_name=_("task"),
        related_name="subtasks",
        db_index=False,
    )
    subtask_index = models.PositiveIntegerField(_("index"))
    description = models.TextField(_("description"))
    expected_output = models.TextField(_("expected output"), blank=True, default="")
    actual_output = models.TextField(_("actual output"), blank=True, default="")
    status = models.CharField(_("status"), max_length=16, choices=WorkStatus, default=WorkStatus.PENDING)
    context = JSONTextField(_("context"), default=dict)
    validation_report = JSONTextField(_("validation report"), default=dict)
    created_at = models.DateTimeField(_("created at"), default=timezone.now)
    updated_at = models.DateTimeField(_("updated at"), default=timezone.now)

    objects = SubtaskQuerySet.as_manager()

    class Meta:
        verbose_name = _("subtask")
        verbose_name_plural = _("subtasks")
        constraints = [
            models.UniqueConstraint(fields=["task", "subtask_index"], name="subtask_index_once_per_task"),
            models.CheckConstraint(condition=KNOWN_STATUS, name="subtask_status_known"),
        ]
        indexes = [
            # status=.
            models.Index(fields=["status", "created_at"], name="subtask_by_status"),
        ]

    def __str__(self) -> str:
        return self.description[:80]
