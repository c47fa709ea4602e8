"""Projects, the walls between teams, and the staff who may look behind them."""

from django.contrib.auth.models import AbstractUser
from django.db import models
from django.utils.translation import gettext_lazy as _

from config.shared.fields import IdField

DEFAULT_PROJECT = "default"


class Project(models.Model):
    """One row is one team's wall: everything recorded belongs to exactly one project."""

    # Four bytes, because every fact carries it.
    id = models.AutoField(primary_key=True)
    slug = IdField(
        _("slug"),
        max_length=63,
        unique=True,
        help_text=_("Short name used in addresses and commands."),
    )
    name = models.CharField(_("name"), max_length=200)
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)

    class Meta:
        verbose_name = _("project")
        verbose_name_plural = _("projects")
        ordering = ("slug",)

    def __str__(self) -> str:
        return self.slug


class StaffUser(AbstractUser):
    """One row is one member of staff. Agents and their end users are data, never accounts."""

    projects = models.ManyToManyField(
        Project,
        verbose_name=_("projects"),
        blank=True,
        related_name="staff",
        help_text=_("The projects this person may see. Superusers see all."),
    )

    class Meta(AbstractUser.Meta):  # type: ignore[name-defined,misc]
        verbose_name = _("staff user")  # type: ignore[assignment]
        verbose_name_plural = _("staff users")  # type: ignore[assignment]
