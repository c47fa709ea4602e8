"""Workflows, the definitions, and workflow runs, what happened when one was followed."""

from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from config.shared.fields import IdField, JSONTextField
from config.shared.querysets import ProjectQuerySet
from sessions_app.models.accounts import Project


class Workflow(models.Model):
    """One row is one workflow definition: its nodes and edges, and how it is drawn."""

    project = models.ForeignKey(Project, models.PROTECT, verbose_name=_("project"), db_index=False)
    workflow_id = IdField(_("workflow id"))
    name = models.CharField(_("name"), max_length=255)
    description = models.TextField(_("description"), blank=True, default="")
    version = models.CharField(_("version"), max_length=64, blank=True, default="")
    config_path = models.CharField(_("config path"), max_length=500, blank=True, default="")
    nodes = JSONTextField(_("nodes"), default=list)
    edges = JSONTextField(_("edges"), default=list)
    config = JSONTextField(
        _("config"),
        default=dict,
        help_text=_("The definition's other keys, as they came."),
    )
    node_positions = JSONTextField(_("node positions"), default=dict)
    layout_algorithm = models.CharField(_("layout algorithm"), max_length=64, blank=True, default="")
    visualization_settings = JSONTextField(_("visualization settings"), default=dict)
    usage_count = models.PositiveBigIntegerField(_("times used"), default=0)
    loaded_at = models.DateTimeField(_("loaded at"), null=True, blank=True)
    last_used_at = models.DateTimeField(_("last used"), null=True, blank=True)
    created_at = models.DateTimeField(_("created at"), default=timezone.now)
    updated_at = models.DateTimeField(_("updated at"), default=timezone.now)

    objects = ProjectQuerySet.as_manager()

    class Meta:
        verbose_name = _("workflow")
        verbose_name_plural = _("workflows")
        constraints = [
            models.UniqueConstraint(fields=["project", "workflow_id"], name="workflow_id_once_per_project"),
            models.CheckConstraint(condition=~Q(workflow_id=""), name="workflow_id_not_empty"),
        ]
        indexes = [
            # The list page.
            models.Index(fields=["project", "created_at", "id"], name="workflow_by_created"),
        ]

    def __str__(self) -> str:
        return self.name


class WorkflowRun(models.Model):
    """One row is one execution of a workflow (document 000, 2.2.2)."""

    class Status(models.TextChoices):
        """How far the run is."""

        RUNNING = "running", _("running")
        PAUSED = "paused", _("paused")
        COMPLETED = "completed", _("completed")
        FAILED = "failed", _("failed")
        CANCELLED = "cancelled", _("cancelled")

    project = models.ForeignKey(Project, models.PROTECT, verbose_name=_("project"), db_index=False)
    run_id = IdField(_("run id"))
    workflow = models.ForeignKey(
        Workflow,
        models.CASCADE,
        verbose_name=_("workflow"),
        related_name="runs",
        db_index=False,
    )
    session = models.ForeignKey(
        "sessions_app.Session",
        models.SET_NULL,
        verbose_name=_("session"),
        null=True,
        blank=True,
        related_name="workflow_runs",
    )
    status = models.CharField(_("status"), max_length=16, choices=Status, default=Status.RUNNING)
    execution_path = JSONTextField(_("execution path"), default=list)
    node_states = JSONTextField(_("node states"), default=dict)
    current_node = models.CharField(_("current node"), max_length=255, blank=True, default="")
    execution_time = models.FloatField(_("execution time (s)"), null=True, blank=True)
    performance_metrics = JSONTextField(_("performance metrics"), default=dict)
    metadata = JSONTextField(_("metadata"), default=dict)
    started_at = models.DateTimeField(_("started at"), default=timezone.now)
    finished_at = models.DateTimeField(_("finished at"), null=True, blank=True)

    objects = ProjectQuerySet.as_manager()

    class Meta:
        verbose_name = _("workflow run")
        verbose_name_plural = _("workflow runs")
        constraints = [
            models.UniqueConstraint(fields=["project", "run_id"], name="run_id_once_per_project"),
            models.CheckConstraint(condition=~Q(run_id=""), name="run_id_not_empty"),
            models.CheckConstraint(
                condition=Q(status__in=["running", "paused", "completed", "failed", "cancelled"]),
                name="run_status_known",
            ),
            models.CheckConstraint(
                condition=Q(finished_at__isnull=True) | Q(finished_at__gte=F("started_at")),
                name="run_finished_after_start",
            ),
            models.CheckConstraint(
                condition=Q(execution_time__isnull=True) | Q(execution_time__gte=0),
                name="run_time_not_negative",
            ),
        ]
        indexes = [
            # The list page, started_after and started_before.
            models.Index(fields=["project", "started_at", "id"], name="run_by_start"),
            # workflow=, newest first; also the foreign key.
            models.Index(fields=["workflow", "started_at"], name="run_by_workflow"),
            # status=, newest first.
            models.Index(fields=["project", "status", "started_at"], name="run_by_status"),
        ]

    def __str__(self) -> str:
        return self.run_id
