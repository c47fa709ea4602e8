"""Configuration: of the system, of the agents' end users, and the provider keys they brought."""

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

MASK = "********"
SHOWN_CHARACTERS = 4


class SystemConfig(models.Model):
    """One row is one setting of a project: a typed value under a key.

    Secrets inside the value are replaced by a mask and kept apart, sealed, by their JSON pointer.
    """

    class ValueType(models.TextChoices):
        """What the value must be."""

        TEXT = "text", _("text")
        INTEGER = "integer", _("integer")
        NUMBER = "number", _("number")
        BOOLEAN = "boolean", _("boolean")
        JSON = "json", _("JSON")

    project = models.ForeignKey(Project, models.PROTECT, verbose_name=_("project"), db_index=False)
    key = IdField(_("key"))
    section = IdField(_("section"), max_length=100, blank=True, default="")
    value_type = models.CharField(_("value type"), max_length=8, choices=ValueType, default=ValueType.TEXT)
    value = JSONTextField(_("value"))
    sealed_secrets = models.TextField(_("sealed secrets"), blank=True, default="", editable=False)
    description = models.TextField(_("description"), blank=True, default="")
    created_at = models.DateTimeField(_("created at"), default=timezone.now)
    updated_at = models.DateTimeField(_("updated at"), default=timezone.now)
    version = models.PositiveIntegerField(_("version"), default=1)

    objects = ProjectQuerySet.as_manager()

    class Meta:
        verbose_name = _("system setting")
        verbose_name_plural = _("system settings")
        constraints = [
            models.UniqueConstraint(fields=["project", "key"], name="config_key_once_per_project"),
            models.CheckConstraint(condition=~Q(key=""), name="config_key_not_empty"),
            models.CheckConstraint(
                condition=Q(value_type__in=["text", "integer", "number", "boolean", "json"]),
                name="config_value_type_known",
            ),
            models.CheckConstraint(condition=Q(version__gte=1), name="config_version_positive"),
        ]
        indexes = [
            # section=.
            models.Index(fields=["project", "section", "key"], name="config_by_section"),
        ]

    def __str__(self) -> str:
        return self.key

    @property
    def place(self) -> str:
        """What sealed secrets are bound to, so that a ciphertext moved to another row does not open."""
        return f"systemconfig|{self.project_id}|{self.key}"

    def seal(self, secrets: dict[str, Any]) -> None:
        """Keep secrets, by JSON pointer into `value`, encrypted; an empty dict clears them."""
        self.sealed_secrets = crypto.encrypt(json.dumps(secrets), self.place) if secrets else ""

    def unseal(self) -> dict[str, Any]:
        """Return the secrets by JSON pointer. Raises crypto.DecryptionFailed."""
        secrets: dict[str, Any] = (
            json.loads(crypto.decrypt(self.sealed_secrets, self.place)) if self.sealed_secrets else {}
        )
        return secrets


class UserConfig(models.Model):
    """One row is one end user of the agents: preferences, and the provider keys that hang on it.

    `brought_in` is what an older system knew of the user: its own counts under `usage_stats`, which are in no record,
    and under `as_found` what could not be taken as it stood.
    """

    project = models.ForeignKey(Project, models.PROTECT, verbose_name=_("project"), db_index=False)
    user_id = IdField(_("user id"))
    preferences = JSONTextField(_("preferences"), default=dict)
    brought_in = JSONTextField(_("brought in"), default=dict, editable=False)
    created_at = models.DateTimeField(_("created at"), default=timezone.now)
    updated_at = models.DateTimeField(_("updated at"), default=timezone.now)
    version = models.PositiveIntegerField(_("version"), default=1)

    objects = ProjectQuerySet.as_manager()

    class Meta:
        verbose_name = _("user configuration")
        verbose_name_plural = _("user configurations")
        constraints = [
            models.UniqueConstraint(fields=["project", "user_id"], name="user_config_once_per_project"),
            models.CheckConstraint(condition=~Q(user_id=""), name="user_config_id_not_empty"),
            models.CheckConstraint(condition=Q(version__gte=1), name="user_config_version_positive"),
        ]
        indexes = [
            # The list page.
            models.Index(fields=["project", "created_at", "id"], name="user_config_by_created"),
        ]

    def __str__(self) -> str:
        return self.user_id


class ProviderKey(models.Model):
    """One row is one key that a user has with a model provider, sealed; only its last characters are ever shown."""

    user_config = models.ForeignKey(
        UserConfig,
        models.CASCADE,
        verbose_name=_("user configuration"),
        related_name="provider_keys",
        db_index=False,
    )
    provider = IdField(_("provider"), max_length=100)
    sealed = models.TextField(_("sealed key"), editable=False)
    ending = models.CharField(
        _("ends with"),
        max_length=SHOWN_CHARACTERS,
        blank=True,
        default="",
        editable=False,
    )
    created_at = models.DateTimeField(_("created at"), default=timezone.now)
    updated_at = models.DateTimeField(_("updated at"), default=timezone.now)

    class Meta:
        verbose_name = _("provider key")
        verbose_name_plural = _("provider keys")
        permissions = [("reveal_providerkey", _("Can reveal provider keys"))]
        constraints = [
            models.UniqueConstraint(fields=["user_config", "provider"], name="provider_key_once_per_user"),
            models.CheckConstraint(condition=~Q(provider=""), name="provider_not_empty"),
        ]

    def __str__(self) -> str:
        return f"{self.provider} {self.masked}"

    @property
    def place(self) -> str:
        """What the sealed key is bound to."""
        return f"providerkey|{self.user_config_id}|{self.provider}"

    @property
    def masked(self) -> str:
        """The key as it may be shown."""
        return f"{MASK}{self.ending}"

    def seal(self, secret: str) -> None:
        """Keep the key encrypted; the last characters stay readable when enough others are hidden."""
        self.sealed = crypto.encrypt(secret, self.place)
        self.ending = secret[-SHOWN_CHARACTERS:] if len(secret) >= 4 * SHOWN_CHARACTERS else ""

    def reveal(self) -> str:
        """Return the key in clear. Raises crypto.DecryptionFailed."""
        return crypto.decrypt(self.sealed, self.place)
