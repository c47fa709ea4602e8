"""How many sessions there are, kept by the database itself, so that a million of them need not be counted anew."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from sessions_app.models.accounts import Project


class SessionCount(models.Model):
    """One row is a part of the number of a project's sessions of one status; the parts are added up.

    Triggers write it, in the transaction of whatever changes a session. Every connection writes to a part of its own
    (`shard`), so that nobody waits for others who make sessions; a single part may be negative.
    """

    pk = models.CompositePrimaryKey("project_id", "status", "shard")
    project = models.ForeignKey(Project, models.CASCADE, verbose_name=_("project"), db_index=False, db_constraint=False)
    status = models.CharField(_("status"), max_length=16)
    shard = models.PositiveSmallIntegerField(_("part"))
    count = models.BigIntegerField(_("count"), default=0)

    class Meta:
        verbose_name = _("session count")
        verbose_name_plural = _("session counts")

    def __str__(self) -> str:
        return f"{self.status}: {self.count}"
