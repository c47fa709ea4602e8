"""Roll-ups of token usage by hour and day: derived from the facts up to a watermark, dropped and refilled at will."""

from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from config.shared.fields import ExactDecimalField, IdField
from config.shared.querysets import ProjectQuerySet
from sessions_app.models import Project


class Grain(models.TextChoices):
    """How long the period of a row is; periods begin in UTC."""

    HOUR = "h", _("hour")
    DAY = "d", _("day")


class UsageSums(models.Model):
    """What a period adds up to. `unpriced` counts the uses without a known cost: they add nothing to `cost`."""

    project = models.ForeignKey(
        Project,
        models.CASCADE,
        verbose_name=_("project"),
        db_index=False,
        db_constraint=False,
        related_name="+",
    )
    grain = models.CharField(_("grain"), max_length=1, choices=Grain)
    start = models.DateTimeField(_("start"))
    uses = models.BigIntegerField(_("uses"), default=0)
    prompt_tokens = models.BigIntegerField(_("prompt tokens"), default=0)
    completion_tokens = models.BigIntegerField(_("completion tokens"), default=0)
    total_tokens = models.BigIntegerField(_("total tokens"), default=0)
    cache_read_tokens = models.BigIntegerField(_("tokens read from cache"), default=0)
    cache_write_tokens = models.BigIntegerField(_("tokens written to cache"), default=0)
    cost = ExactDecimalField(_("cost (USD)"))
    unpriced = models.BigIntegerField(_("uses without a known cost"), default=0)

    # What tells the rows of one period apart.
    NAMES: ClassVar[tuple[str, ...]] = ()

    objects = ProjectQuerySet.as_manager()

    class Meta:
        abstract = True


class ModelUsage(UsageSums):
    """One row is what one model used in one hour or day of one project."""

    NAMES = ("model", "provider")

    provider = IdField(_("provider"), max_length=100, blank=True, default="")
    model = IdField(_("model"), blank=True, default="")

    class Meta:
        verbose_name = _("usage by model")
        verbose_name_plural = _("usage by model")
        constraints = [
            # Also serves every reading: one project's hours or days of a period.
            models.UniqueConstraint(
                fields=["project", "grain", "start", "model", "provider"],
                name="model_usage_once_per_period",
            ),
            models.CheckConstraint(condition=Q(grain__in=["h", "d"]), name="model_usage_grain_known"),
        ]

    def __str__(self) -> str:
        return f"{self.model} {self.start:%Y-%m-%d %H:%M}"


class UserUsage(UsageSums):
    """One row is what one user's sessions used in one hour or day of one project."""

    NAMES = ("user_id",)

    user_id = IdField(_("user id"), blank=True, default="")

    class Meta:
        verbose_name = _("usage by user")
        verbose_name_plural = _("usage by user")
        constraints = [
            models.UniqueConstraint(
                fields=["project", "grain", "start", "user_id"],
                name="user_usage_once_per_period",
            ),
            models.CheckConstraint(condition=Q(grain__in=["h", "d"]), name="user_usage_grain_known"),
        ]

    def __str__(self) -> str:
        return f"{self.user_id} {self.start:%Y-%m-%d}"


ROLLUPS: tuple[type[ModelUsage] | type[UserUsage], ...] = (ModelUsage, UserUsage)


class UsageChange(models.Model):
    """One row says that usage of one hour was changed or removed after it was recorded.

    Triggers of the database write it, in the transaction of the change, whoever makes it. Until the hour is rolled up
    anew it is read from the facts.
    """

    project_id = models.BigIntegerField(_("project"))
    hour = models.DateTimeField(_("hour"))

    class Meta:
        verbose_name = _("usage change")
        verbose_name_plural = _("usage changes")
        indexes = [
            # Which hours of a project have changed.
            models.Index(fields=["project_id", "hour"], name="usage_change_by_hour"),
        ]

    def __str__(self) -> str:
        return f"{self.project_id} {self.hour:%Y-%m-%d %H:%M}"


class RollupState(models.Model):
    """One row is how far one roll-up has come: every use up to the id `watermark` is in it.

    `version` counts its changes, so that a reader sees whether one came between its queries. `ceiling` is an id that
    was the highest at `ceiling_at` (needed on MariaDB).
    """

    name = models.CharField(_("name"), max_length=16, primary_key=True)
    watermark = models.BigIntegerField(_("watermark"), default=0)
    version = models.BigIntegerField(_("version"), default=0)
    ceiling = models.BigIntegerField(_("ceiling"), default=0)
    ceiling_at = models.DateTimeField(_("ceiling at"), null=True)
    rolled_up_at = models.DateTimeField(_("rolled up at"), null=True)

    class Meta:
        verbose_name = _("roll-up state")
        verbose_name_plural = _("roll-up states")
        constraints = [
            models.CheckConstraint(condition=Q(watermark__gte=0), name="rollup_watermark_not_negative"),
        ]

    def __str__(self) -> str:
        return f"{self.name} up to {self.watermark}"
