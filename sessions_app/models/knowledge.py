"""Knowledge sources, and the document store: namespaced JSON under a key, with a time to live."""

from datetime import datetime
from typing import Self

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from config.shared.fields import IdField, JSONTextField
from config.shared.querysets import ProjectQuerySet
from sessions_app.models.accounts import Project


class KnowledgeSourceQuerySet(ProjectQuerySet):
    """Which knowledge sources."""

    def alive(self) -> Self:
        """Return sources that are not deleted."""
        return self.filter(deleted_at__isnull=True)


class KnowledgeSource(models.Model):
    """One row is one place that agents draw knowledge from; deleting one only marks it (document 002)."""

    class Status(models.TextChoices):
        """Whether agents may use the source."""

        ACTIVE = "active", _("active")
        INACTIVE = "inactive", _("inactive")

    project = models.ForeignKey(Project, models.PROTECT, verbose_name=_("project"), db_index=False)
    source_name = models.CharField(_("name"), max_length=255)
    source_path = models.CharField(_("path"), max_length=2000)
    source_type = IdField(_("type"), max_length=64)
    status = models.CharField(_("status"), max_length=16, choices=Status, default=Status.ACTIVE)
    metadata = JSONTextField(_("metadata"), default=dict)
    deleted_at = models.DateTimeField(_("deleted at"), null=True, blank=True)
    created_at = models.DateTimeField(_("created at"), default=timezone.now)
    updated_at = models.DateTimeField(_("updated at"), default=timezone.now)

    objects = KnowledgeSourceQuerySet.as_manager()

    class Meta:
        verbose_name = _("knowledge source")
        verbose_name_plural = _("knowledge sources")
        constraints = [
            models.CheckConstraint(condition=~Q(source_name=""), name="source_name_not_empty"),
            models.CheckConstraint(
                condition=Q(status__in=["active", "inactive"]),
                name="source_status_known",
            ),
        ]
        indexes = [
            # The list page.
            models.Index(fields=["project", "created_at", "id"], name="source_by_created"),
            # status=, newest first.
            models.Index(fields=["project", "status", "created_at"], name="source_by_status"),
            # The sources that a session names.
            models.Index(fields=["project", "source_name"], name="source_by_name"),
            # source_type=.
            models.Index(fields=["project", "source_type", "created_at"], name="source_by_type"),
        ]

    def __str__(self) -> str:
        return self.source_name


class DocumentQuerySet(ProjectQuerySet):
    """Which documents."""

    def alive_at(self, now: datetime) -> Self:
        """Return documents whose time to live has not run out."""
        return self.filter(Q(expires_at__isnull=True) | Q(expires_at__gt=now))


class Document(models.Model):
    """One row is one JSON value under a namespace and a key."""

    project = models.ForeignKey(Project, models.PROTECT, verbose_name=_("project"), db_index=False)
    namespace = IdField(_("namespace"), max_length=100)
    key = IdField(_("key"), max_length=500)
    value = JSONTextField(_("value"))
    expires_at = models.DateTimeField(_("expires at"), null=True, blank=True)
    created_at = models.DateTimeField(_("created at"), default=timezone.now)
    updated_at = models.DateTimeField(_("updated at"), default=timezone.now)
    version = models.PositiveIntegerField(_("version"), default=1)

    objects = DocumentQuerySet.as_manager()

    class Meta:
        verbose_name = _("document")
        verbose_name_plural = _("documents")
        constraints = [
            # Also serves the list of a namespace and of a key prefix.
            models.UniqueConstraint(fields=["project", "namespace", "key"], name="document_key_once"),
            models.CheckConstraint(condition=~Q(namespace="") & ~Q(key=""), name="document_key_not_empty"),
            models.CheckConstraint(condition=Q(version__gte=1), name="document_version_positive"),
        ]
        indexes = [
            # The prune of those whose time has run out.
            models.Index(fields=["expires_at"], name="document_by_end", condition=Q(expires_at__isnull=False)),
        ]

    def __str__(self) -> str:
        return f"{self.namespace}/{self.key}"
