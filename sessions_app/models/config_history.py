"""What settings were: one row a change, and named snapshots that point to such rows."""

import json
from typing import Any

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from config.shared import crypto
from config.shared.fields import IdField, JSONTextField
from config.shared.querysets import ProjectQuerySet
from sessions_app.models.accounts import Project
from sessions_app.models.configuration import SystemConfig


class ConfigVersion(models.Model):
    """One row is one change of a setting: what it was set to, or that it was removed; never changed afterwards.

    Secrets stay sealed under the same place as in the setting itself, so that they can be put back as they are.
    """

    project = models.ForeignKey(Project, models.PROTECT, verbose_name=_("project"), db_index=False)
    key = IdField(_("key"))
    version = models.PositiveIntegerField(_("version"))
    is_removed = models.BooleanField(_("removed"), default=False)
    section = IdField(_("section"), max_length=100, blank=True, default="")
    value_type = models.CharField(_("value type"), max_length=8, choices=SystemConfig.ValueType)
    value = JSONTextField(_("value"))
    sealed_secrets = models.TextField(_("sealed secrets"), blank=True, default="", editable=False)
    description = models.TextField(_("description"), blank=True, default="")
    at = models.DateTimeField(_("at"), default=timezone.now)
    actor_kind = models.CharField(_("kind of actor"), max_length=16, blank=True, default="")
    actor = models.CharField(_("actor"), max_length=255, blank=True, default="")

    objects = ProjectQuerySet.as_manager()

    class Meta:
        verbose_name = _("version of a setting")
        verbose_name_plural = _("versions of settings")
        constraints = [
            # Also serves the history of a key.
            models.UniqueConstraint(fields=["project", "key", "version"], name="config_version_once"),
            models.CheckConstraint(condition=Q(version__gte=1), name="config_version_number_positive"),
        ]

    def __str__(self) -> str:
        return f"{self.key} {self.version}"

    def unseal(self) -> dict[str, Any]:
        """Return the secrets by JSON pointer. Raises crypto.DecryptionFailed."""
        place = f"systemconfig|{self.project_id}|{self.key}"
        secrets: dict[str, Any] = json.loads(crypto.decrypt(self.sealed_secrets, place)) if self.sealed_secrets else {}
        return secrets


class ConfigSnapshot(models.Model):
    """One row is one named state of all settings of a project."""

    project = models.ForeignKey(Project, models.PROTECT, verbose_name=_("project"), db_index=False)
    name = IdField(_("name"))
    description = models.TextField(_("description"), blank=True, default="")
    created_at = models.DateTimeField(_("created at"), default=timezone.now)
    actor = models.CharField(_("actor"), max_length=255, blank=True, default="")

    objects = ProjectQuerySet.as_manager()

    class Meta:
        verbose_name = _("snapshot of settings")
        verbose_name_plural = _("snapshots of settings")
        constraints = [
            models.UniqueConstraint(fields=["project", "name"], name="config_snapshot_once"),
            models.CheckConstraint(condition=~Q(name=""), name="config_snapshot_name_not_empty"),
        ]
        indexes = [
            # The list page.
            models.Index(fields=["project", "created_at", "id"], name="config_snapshot_by_created"),
        ]

    def __str__(self) -> str:
        return self.name


class ConfigSnapshotEntry(models.Model):
    """One row is one setting within a snapshot: the version that it had."""

    snapshot = models.ForeignKey(
        ConfigSnapshot, models.CASCADE, verbose_name=_("snapshot"), related_name="entries", db_index=False
    )
    config_version = models.ForeignKey(ConfigVersion, models.PROTECT, verbose_name=_("version of a setting"))

    class Meta:
        verbose_name = _("setting in a snapshot")
        verbose_name_plural = _("settings in snapshots")
        constraints = [
            models.UniqueConstraint(fields=["snapshot", "config_version"], name="config_snapshot_entry_once"),
        ]

    def __str__(self) -> str:
        return str(self.config_version)
