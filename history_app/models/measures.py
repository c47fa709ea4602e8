"""Errors that happened in a session, and any other number measured there."""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from config.shared.fields import IdField
from history_app.models.facts import Fact


class ErrorRecord(Fact):
    """One row is one error that an agent reported."""

    class Severity(models.TextChoices):
        """How bad it is."""

        DEBUG = "debug", _("debug")
        INFO = "info", _("info")
        WARNING = "warning", _("warning")
        ERROR = "error", _("error")
        CRITICAL = "critical", _("critical")

    error_id = IdField(_("error id"), blank=True, default="")
    error_type = IdField(_("type"))
    error_message = models.TextField(_("message"), blank=True, default="")
    stack_trace = models.TextField(_("stack trace"), blank=True, default="")
    severity = models.CharField(_("severity"), max_length=8, choices=Severity, default=Severity.ERROR)

    class Meta(Fact.Meta):
        verbose_name = _("error")
        verbose_name_plural = _("errors")
        constraints = [
            models.UniqueConstraint(fields=["session", "record_id"], name="error_record_once"),
            models.CheckConstraint(
                condition=Q(severity__in=["debug", "info", "warning", "error", "critical"]),
                name="error_severity_known",
            ),
        ]
        indexes = [
            # The list over all sessions, and a period of it; severity= filters along it.
            models.Index(fields=["project", "timestamp", "id"], name="error_by_time"),
            # error_type=, newest first.
            models.Index(fields=["project", "error_type", "timestamp"], name="error_by_type"),
        ]


class Metric(Fact):
    """One row is one number measured in a session, such as the `statistics` of document 000."""

    metric_type = IdField(_("metric"))
    metric_value = models.FloatField(_("value"))

    class Meta(Fact.Meta):
        verbose_name = _("metric")
        verbose_name_plural = _("metrics")
        constraints = [
            models.UniqueConstraint(fields=["session", "record_id"], name="metric_record_once"),
            models.CheckConstraint(condition=~Q(metric_type=""), name="metric_type_not_empty"),
        ]
        indexes = [
            # The list over all sessions, and a period of it.
            models.Index(fields=["project", "timestamp", "id"], name="metric_by_time"),
            # metric_type=, newest first.
            models.Index(fields=["project", "metric_type", "timestamp"], name="metric_by_type"),
            # The same for one session (idx_statistics_session_metric of document 000).
            models.Index(fields=["session", "metric_type", "timestamp"], name="metric_by_session"),
        ]
