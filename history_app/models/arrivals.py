"""Arrivals: in which order records came that have no row of their own."""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from config.shared.fields import IdField
from sessions_app.models import Session


class Arrival(models.Model):
    """One row is the arrival of one record whose place in the order of recording its row does not tell.

    These are the second half of an LLM call, which joins the row of the first one, and every cost, which may move from
    one use of tokens to another (see services.ingest.pairing). All other records came with their row.
    """

    session = models.ForeignKey(Session, models.CASCADE, verbose_name=_("session"), db_index=False)
    record_type = models.CharField(_("record type"), max_length=16)
    record_id = IdField(_("record id"))

    class Meta:
        verbose_name = _("arrival")
        verbose_name_plural = _("arrivals")
        constraints = [
            models.UniqueConstraint(fields=["session", "record_type", "record_id"], name="arrival_once"),
            models.CheckConstraint(
                condition=Q(record_type__in=["llm_request", "llm_response", "cost"]),
                name="arrival_type_known",
            ),
        ]
        indexes = [
            # What a live tail reads next.
            models.Index(fields=["session", "id"], name="arrival_in_order"),
        ]

    def __str__(self) -> str:
        return f"{self.record_type} {self.record_id}"
