"""Import runs, and what each of them found wrong with its source."""

from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from config.shared.callers import Caller
from config.shared.fields import IdField, JSONTextField
from config.shared.querysets import ProjectQuerySet
from sessions_app.models import Project


class ImportRun(models.Model):
    """One row is one run of an import, with its reconciliation.

    `position` is how many entries of the store are committed, counts and findings with them; `fingerprint` tells
    whether the store is still the one that they were read from. `lease_until` is until when the process that is at
    work counts as alive, `worker` is its host and number, and `attempt` is how often the run was begun or resumed.
    """

    class Status(models.TextChoices):
        """How the run ended."""

        RUNNING = "running", _("running")
        COMPLETED = "completed", _("completed")
        FAILED = "failed", _("failed")
        # Its process died; it can be resumed.
        INTERRUPTED = "interrupted", _("interrupted")
        UNDONE = "undone", _("undone")

    project = models.ForeignKey(Project, models.PROTECT, verbose_name=_("project"), db_index=False)
    source = models.CharField(_("source"), max_length=1000)
    source_format = IdField(_("format"), max_length=64)
    options = JSONTextField(_("options"), default=dict)
    status = models.CharField(_("status"), max_length=16, choices=Status, default=Status.RUNNING)
    counts = JSONTextField(
        _("counts"),
        default=dict,
        help_text=_("By kind: read, new, same, conflicting, rejected, repaired."),
    )
    sums = JSONTextField(_("sums"), default=dict)
    failure = models.TextField(_("failure"), blank=True, default="")
    report = models.TextField(_("report file"), blank=True, default="")
    position = models.PositiveBigIntegerField(_("entries done"), default=0)
    fingerprint = models.CharField(_("fingerprint of the source"), max_length=64, blank=True, default="")
    attempt = models.PositiveIntegerField(_("attempt"), default=1)
    worker = models.CharField(_("process"), max_length=255, blank=True, default="")
    lease_until = models.DateTimeField(_("alive until"), null=True, blank=True)
    seconds = models.FloatField(_("seconds of work"), default=0.0)
    started_at = models.DateTimeField(_("started at"), default=timezone.now)
    finished_at = models.DateTimeField(_("finished at"), null=True, blank=True)

    objects = ProjectQuerySet.as_manager()

    class Meta:
        verbose_name = _("import run")
        verbose_name_plural = _("import runs")
        constraints = [
            models.CheckConstraint(
                condition=Q(status__in=["running", "completed", "failed", "interrupted", "undone"]),
                name="import_status_known",
            ),
            models.CheckConstraint(
                condition=Q(finished_at__isnull=True) | Q(finished_at__gte=F("started_at")),
                name="import_finished_after_start",
            ),
        ]
        indexes = [
            # The list page.
            models.Index(fields=["project", "started_at", "id"], name="import_by_start"),
        ]

    def __str__(self) -> str:
        return f"{self.source_format} {self.started_at:%Y-%m-%d %H:%M}"


class ImportFindingQuerySet(models.QuerySet["ImportFinding"]):
    """Which findings."""

    def visible_to(self, caller: Caller) -> "ImportFindingQuerySet":
        """Return the findings of runs in the caller's projects."""
        return self if caller.project_ids is None else self.filter(run__project_id__in=caller.project_ids)


class ImportFinding(models.Model):
    """One row is one thing that an import could not take over as it stood, with its place in the source."""

    class Level(models.TextChoices):
        """What became of it."""

        REJECTED = "rejected", _("rejected")
        CONFLICT = "conflict", _("conflict")
        REPAIRED = "repaired", _("repaired")
        SKIPPED = "skipped", _("skipped")
        NOTE = "note", _("note")

    run = models.ForeignKey(
        ImportRun,
        models.CASCADE,
        verbose_name=_("run"),
        related_name="findings",
        db_index=False,
    )
    level = models.CharField(_("level"), max_length=8, choices=Level)
    kind = IdField(_("kind"), max_length=32, blank=True, default="")
    code = IdField(_("code"), max_length=64)
    path = models.TextField(_("file"), blank=True, default="")
    line = models.PositiveBigIntegerField(_("line"), null=True, blank=True)
    table = models.CharField(_("table"), max_length=100, blank=True, default="")
    key = models.TextField(_("key"), blank=True, default="")
    detail = models.TextField(_("detail"))
    raw = models.TextField(_("as found"), blank=True, default="")

    objects = ImportFindingQuerySet.as_manager()

    class Meta:
        verbose_name = _("import finding")
        verbose_name_plural = _("import findings")
        constraints = [
            models.CheckConstraint(
                condition=Q(level__in=["rejected", "conflict", "repaired", "skipped", "note"]),
                name="finding_level_known",
            ),
        ]
        indexes = [
            # The findings of one run, by level; also the foreign key.
            models.Index(fields=["run", "level", "id"], name="finding_by_run"),
        ]

    def __str__(self) -> str:
        return f"{self.level}: {self.detail[:80]}"
