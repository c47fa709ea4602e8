"""API keys, by which agents come in, and the audit, which remembers who changed what."""

from datetime import datetime
from typing import Self

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from config.shared.fields import IdField, JSONTextField
from config.shared.querysets import ProjectQuerySet
from sessions_app.models.accounts import Project


class ApiKeyQuerySet(ProjectQuerySet):
    """Which API keys."""

    def usable_at(self, now: datetime) -> Self:
        """Return keys that are neither revoked nor past their end."""
        return self.filter(revoked_at__isnull=True).filter(Q(expires_at__isnull=True) | Q(expires_at__gt=now))


class ApiKey(models.Model):
    """One row is one key of one project. The key itself is never stored, only a keyed hash of it."""

    class Role(models.TextChoices):
        """What the key may do (api.md, Commands)."""

        AGENT = "agent", _("agent: writes and reads its project's records")
        READER = "reader", _("reader: reads with contents masked")
        OPERATOR = "operator", _("operator: everything in its project but secrets")
        ADMIN = "admin", _("admin: everything in its project")

    project = models.ForeignKey(Project, models.PROTECT, verbose_name=_("project"), db_index=False)
    name = models.CharField(_("name"), max_length=200)
    role = models.CharField(_("role"), max_length=16, choices=Role, default=Role.AGENT)
    prefix = IdField(
        _("prefix"),
        max_length=16,
        unique=True,
        help_text=_("The visible beginning of the key."),
    )
    key_hash = IdField(_("hash"), max_length=64, editable=False)
    created_by = models.CharField(_("created by"), max_length=200, blank=True, default="")
    created_at = models.DateTimeField(_("created at"), default=timezone.now)
    expires_at = models.DateTimeField(_("expires at"), null=True, blank=True)
    revoked_at = models.DateTimeField(_("revoked at"), null=True, blank=True)
    last_used_at = models.DateTimeField(_("last used"), null=True, blank=True)

    objects = ApiKeyQuerySet.as_manager()

    class Meta:
        verbose_name = _("API key")
        verbose_name_plural = _("API keys")
        constraints = [
            models.CheckConstraint(
                condition=Q(role__in=["agent", "reader", "operator", "admin"]),
                name="api_key_role_known",
            ),
        ]
        indexes = [
            # The list page.
            models.Index(fields=["project", "created_at", "id"], name="api_key_by_created"),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"


class AuditChain(models.Model):
    """One row is the end of one project's audit chain; taking it under lock puts entries in one order."""

    project = models.OneToOneField(Project, models.CASCADE, primary_key=True, related_name="audit_chain")
    last_number = models.BigIntegerField(default=0)
    last_hash = models.CharField(max_length=64, default="")

    class Meta:
        verbose_name = _("audit chain")
        verbose_name_plural = _("audit chains")

    def __str__(self) -> str:
        return f"{self.project_id}: {self.last_number}"


class AuditEntry(models.Model):
    """One row is one change, or one sensitive read, that somebody made. Rows are only ever added.

    `entry_hash` covers the row and the hash of the entry before it, so that a changed or missing row is found.
    """

    project = models.ForeignKey(Project, models.PROTECT, verbose_name=_("project"), db_index=False)
    number = models.BigIntegerField(_("number"))
    at = models.DateTimeField(_("at"), default=timezone.now)
    actor_kind = models.CharField(_("actor kind"), max_length=16)
    actor = models.CharField(_("actor"), max_length=255)
    action = IdField(_("action"), max_length=64)
    target_type = IdField(_("target type"), max_length=64)
    target_id = models.CharField(_("target id"), max_length=600, blank=True, default="")
    changes = JSONTextField(_("changes"), default=dict)
    previous_hash = models.CharField(_("previous hash"), max_length=64, blank=True, default="")
    entry_hash = models.CharField(_("hash"), max_length=64)

    objects = ProjectQuerySet.as_manager()

    class Meta:
        verbose_name = _("audit entry")
        verbose_name_plural = _("audit log")
        constraints = [
            models.UniqueConstraint(fields=["project", "number"], name="audit_number_once_per_project"),
            models.CheckConstraint(condition=Q(number__gte=1), name="audit_number_positive"),
        ]
        indexes = [
            # The list page, at_after and at_before.
            models.Index(fields=["project", "at", "id"], name="audit_by_time"),
            # action=, newest first.
            models.Index(fields=["project", "action", "at"], name="audit_by_action"),
            # target_type= with target_id=, newest first.
            models.Index(fields=["project", "target_type", "at"], name="audit_by_target"),
        ]

    def __str__(self) -> str:
        return f"{self.number} {self.action} {self.target_type} {self.target_id}"
