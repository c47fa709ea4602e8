"""Jobs: work that is done behind the requests, each a row that outlives every worker and broker."""

from datetime import datetime
from typing import Self

from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from config.shared.fields import IdField, JSONTextField
from config.shared.querysets import ProjectQuerySet
from sessions_app.models.accounts import Project


class JobQuerySet(ProjectQuerySet):
    """Which jobs."""

    def open(self) -> Self:
        """Return the jobs that are not over."""
        return self.filter(state__in=Job.OPEN)

    def due(self, now: datetime) -> Self:
        """Return the jobs that somebody should run now: queued ones whose time has come, and those left by the dead."""
        return self.filter(due_at__lte=now)

    def held(self, *, pk: int, fence: int) -> Self:
        """Return the job while it is still run under this token."""
        return self.filter(pk=pk, fence=fence, state=Job.State.RUNNING)


class Job(models.Model):
    """One row is one piece of work: what is to be done, where it stands, and what became of it.

    `due_at` is when somebody should look at it: the earliest start of a queued job, the end of the lease of a running
    one, and nothing for one that is over. `fence` grows with every claim, so that a worker which was thought dead
    cannot write over its successor. `woken` says that the broker's message started the last attempt, not the sweep.
    """

    class State(models.TextChoices):
        """Where a job stands. A parked one failed as often as it may; people decide."""

        QUEUED = "queued", _("queued")
        RUNNING = "running", _("running")
        SUCCEEDED = "succeeded", _("succeeded")
        FAILED = "failed", _("failed")
        PARKED = "parked", _("parked")
        CANCELLED = "cancelled", _("cancelled")

    OPEN = (State.QUEUED, State.RUNNING)

    project = models.ForeignKey(
        Project, models.CASCADE, verbose_name=_("project"), null=True, blank=True, db_index=False
    )
    kind = IdField(_("kind"), max_length=64)
    slot = IdField(  # type: ignore[misc]
        _("slot"),
        null=True,
        blank=True,
        help_text=_("What is done once only: no second job of the kind has it."),
    )
    arguments = JSONTextField(_("arguments"), default=dict)
    state = models.CharField(_("state"), max_length=16, choices=State, default=State.QUEUED)
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=0)
    max_attempts = models.PositiveSmallIntegerField(_("most attempts"), default=5)
    due_at = models.DateTimeField(_("due at"), null=True, blank=True, default=timezone.now)
    expires_at = models.DateTimeField(
        _("expires at"), null=True, blank=True, help_text=_("Not started by then, it is dropped.")
    )
    fence = models.BigIntegerField(_("fencing token"), default=0)
    woken = models.BooleanField(_("woken by the broker"), default=False)
    cancel_requested = models.BooleanField(_("asked to stop"), default=False)
    progress_done = models.PositiveBigIntegerField(_("done"), default=0)
    progress_total = models.PositiveBigIntegerField(_("of"), null=True, blank=True)
    progress_text = models.CharField(_("at work on"), max_length=255, blank=True, default="")
    result = JSONTextField(_("result"))
    error = models.TextField(_("error"), blank=True, default="")
    asked_by = models.CharField(_("asked by"), max_length=255, blank=True, default="")
    created_at = models.DateTimeField(_("created at"), default=timezone.now)
    started_at = models.DateTimeField(_("started at"), null=True, blank=True)
    finished_at = models.DateTimeField(_("finished at"), null=True, blank=True)

    objects = JobQuerySet.as_manager()

    class Meta:
        verbose_name = _("job")
        verbose_name_plural = _("jobs")
        constraints = [
            # Three schedulers meet here: only one of them makes the job of a slot. NULLs are never the same.
            models.UniqueConstraint(fields=["kind", "slot"], name="job_slot_once_per_kind"),
            models.CheckConstraint(condition=~Q(kind=""), name="job_kind_not_empty"),
            models.CheckConstraint(
                condition=Q(state__in=["queued", "running", "succeeded", "failed", "parked", "cancelled"]),
                name="job_state_known",
            ),
            models.CheckConstraint(
                condition=Q(state__in=["queued", "running"], due_at__isnull=False, finished_at__isnull=True)
                | (~Q(state__in=["queued", "running"]) & Q(due_at__isnull=True, finished_at__isnull=False)),
                name="job_due_or_finished",
            ),
            models.CheckConstraint(condition=Q(attempts__lte=F("max_attempts")), name="job_attempts_within_most"),
        ]
        indexes = [
            # The sweep: what is due. Jobs that are over have no time there.
            models.Index(fields=["due_at", "id"], name="job_by_due"),
            # The list page of a project, and its filters.
            models.Index(fields=["project", "created_at", "id"], name="job_by_created"),
            models.Index(fields=["project", "state", "created_at"], name="job_by_state"),
            # kind=, and the last runs of a scheduled job.
            models.Index(fields=["kind", "created_at", "id"], name="job_by_kind"),
            # Pruning.
            models.Index(fields=["finished_at"], name="job_by_finish"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} #{self.pk}"

    @property
    def seconds(self) -> float | None:
        """How long the last attempt took, once the job is over."""
        if self.started_at is None or self.finished_at is None:
            return None
        return (self.finished_at - self.started_at).total_seconds()
