"""Token usage: what a model call used, and what it cost."""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from config.shared.fields import MAX_TOKENS, ExactDecimalField, IdField
from history_app.models.facts import Fact

# The row of a cost that stands alone has this source, and an id apart from those of uses, which may have the same.
ALONE_SOURCE, ALONE_PREFIX = "cost", "cost:"


def stands_alone(source: str, record_id: str) -> bool:
    """Return whether a row with a cost record is that cost's own, and no use of tokens."""
    return source == ALONE_SOURCE and record_id.startswith(ALONE_PREFIX)


def _tokens_within_bounds(*columns: str) -> Q:
    within = Q()
    for column in columns:
        within &= Q(**{f"{column}__isnull": True}) | Q(**{f"{column}__gte": 0, f"{column}__lte": MAX_TOKENS})
    return within


class TokenUsage(Fact):
    """One row is the tokens of one call (or, by `source`, of a session), with the cost where it is known.

    A reported cost arrives as a record of its own; its id is kept in `cost_record_id`.
    """

    class CostStatus(models.TextChoices):
        """Where the cost comes from."""

        REPORTED = "reported", _("reported")
        COMPUTED = "computed", _("computed")
        UNKNOWN = "unknown", _("unknown")

    user_id = IdField(_("user id"), blank=True, default="")
    model = IdField(_("model"))
    provider = IdField(_("provider"), max_length=100, blank=True, default="")
    prompt_tokens = models.BigIntegerField(_("prompt tokens"), null=True, blank=True)
    completion_tokens = models.BigIntegerField(_("completion tokens"), null=True, blank=True)
    total_tokens = models.BigIntegerField(_("total tokens"), null=True, blank=True)
    cache_read_tokens = models.BigIntegerField(_("tokens read from cache"), null=True, blank=True)
    cache_write_tokens = models.BigIntegerField(_("tokens written to cache"), null=True, blank=True)
    source = models.CharField(_("source"), max_length=32, blank=True, default="")
    reported_cost = ExactDecimalField(_("reported cost (USD)"), null=True, blank=True)
    cost = ExactDecimalField(_("cost (USD)"), null=True, blank=True)
    cost_status = models.CharField(_("cost status"), max_length=8, choices=CostStatus, default=CostStatus.UNKNOWN)
    price_source = IdField(
        _("price list"),
        max_length=64,
        blank=True,
        default="",
        help_text=_("By which price list a computed cost was computed."),
    )
    cost_record_id = IdField(_("cost record id"), null=True, blank=True)  # type: ignore[misc]

    class Meta(Fact.Meta):
        verbose_name = _("token usage")
        verbose_name_plural = _("token usage")
        constraints = [
            models.UniqueConstraint(fields=["session", "record_id"], name="usage_record_once"),
            # A retried cost finds its first one here; NULLs are distinct.
            models.UniqueConstraint(fields=["session", "cost_record_id"], name="usage_cost_once"),
            models.CheckConstraint(
                condition=_tokens_within_bounds(
                    "prompt_tokens",
                    "completion_tokens",
                    "total_tokens",
                    "cache_read_tokens",
                    "cache_write_tokens",
                ),
                name="usage_tokens_within_bounds",
            ),
            models.CheckConstraint(
                condition=Q(cost_status="unknown", cost__isnull=True)
                | Q(cost_status__in=["reported", "computed"], cost__isnull=False),
                name="usage_cost_has_status",
            ),
        ]
        indexes = [
            # The list over all sessions, and a period of it.
            models.Index(fields=["project", "timestamp", "id"], name="usage_by_time"),
            # model=, newest first, and sums by model.
            models.Index(fields=["project", "model", "timestamp"], name="usage_by_model"),
            # user_id=, newest first, and one user's usage.
            models.Index(fields=["project", "user_id", "timestamp"], name="usage_by_user"),
        ]
