"""A project's own prices of models; where it has none, the public ones hold."""

from typing import Any

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from config.shared.fields import IdField
from config.shared.querysets import ProjectQuerySet
from sessions_app.models import Project

DIGITS, PLACES = 15, 8


def _price(name: Any, *, required: bool = False) -> "models.DecimalField[Any, Any]":
    return models.DecimalField(name, max_digits=DIGITS, decimal_places=PLACES, null=not required, blank=not required)


class ModelPrice(models.Model):
    """One row is what a model costs from one moment on, in USD per million tokens.

    `model` is a name, or the beginning of names with `*` behind it; an empty `provider` means any. What is read from or
    written to the provider's cache costs as much as other input where no price is stated for it.
    """

    project = models.ForeignKey(Project, models.PROTECT, verbose_name=_("project"), db_index=False)
    provider = IdField(_("provider"), max_length=100, blank=True, default="", help_text=_("Empty: any provider."))
    model = IdField(_("model"), help_text=_("A name, or the beginning of names with * behind it."))
    valid_from = models.DateTimeField(_("valid from"), default=timezone.now)
    input_mtok = _price(_("input (USD per million tokens)"), required=True)
    output_mtok = _price(_("output (USD per million tokens)"), required=True)
    cache_read_mtok = _price(_("read from cache (USD per million tokens)"))
    cache_write_mtok = _price(_("written to cache (USD per million tokens)"))
    note = models.CharField(_("note"), max_length=500, blank=True, default="")
    created_at = models.DateTimeField(_("created at"), default=timezone.now)
    updated_at = models.DateTimeField(_("updated at"), default=timezone.now)

    objects = ProjectQuerySet.as_manager()

    class Meta:
        verbose_name = _("model price")
        verbose_name_plural = _("model prices")
        constraints = [
            # Also the list of one project's prices by model.
            models.UniqueConstraint(
                fields=["project", "model", "provider", "valid_from"],
                name="model_price_once_per_moment",
            ),
            models.CheckConstraint(condition=~Q(model=""), name="model_price_model_not_empty"),
            models.CheckConstraint(
                condition=Q(input_mtok__gte=0)
                & Q(output_mtok__gte=0)
                & (Q(cache_read_mtok__isnull=True) | Q(cache_read_mtok__gte=0))
                & (Q(cache_write_mtok__isnull=True) | Q(cache_write_mtok__gte=0)),
                name="model_price_not_negative",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.provider}/{self.model}" if self.provider else self.model
