"""Where imported rows come from: the file, line or table row behind each of them."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from backups_app.models.imports import ImportRun
from config.shared.callers import Caller
from config.shared.fields import IdField, JSONTextField
from sessions_app.models import Session


class ImportOriginQuerySet(models.QuerySet["ImportOrigin"]):
    """Which origins."""

    def visible_to(self, caller: Caller) -> "ImportOriginQuerySet":
        """Return the origins of runs in the caller's projects."""
        return self if caller.project_ids is None else self.filter(run__project_id__in=caller.project_ids)


class ImportOrigin(models.Model):
    """One row is what one run brought into one session from one file (`session` is NULL for settings and the like).

    `assumed_timezone` is the zone that their times were taken to be of where these named none: rows whose times name
    their zone stand in another row, without one.

    `records` has for every kind a list of `[id]`, `[id, line]` or `[id, null, table, key]`: the id is the record's, the
    session's or the setting's. One row a record would make an import a tenth slower, and its table the largest of all.
    """

    run = models.ForeignKey(ImportRun, models.CASCADE, verbose_name=_("run"), related_name="origins", db_index=False)
    session = models.ForeignKey(
        Session,
        models.CASCADE,
        verbose_name=_("session"),
        related_name="import_origins",
        null=True,
        blank=True,
        db_index=False,
    )
    path = models.TextField(_("file"), blank=True, default="")
    assumed_timezone = IdField(_("assumed time zone"), max_length=64, blank=True, default="", db_default="")
    records = JSONTextField(_("records"), default=dict)

    objects = ImportOriginQuerySet.as_manager()

    class Meta:
        verbose_name = _("import origin")
        verbose_name_plural = _("import origins")
        indexes = [
            # What one run brought; also the foreign key.
            models.Index(fields=["run", "id"], name="origin_by_run"),
            # Where what a session holds comes from; also the foreign key.
            models.Index(fields=["session", "id"], name="origin_by_session"),
        ]

    def __str__(self) -> str:
        return self.path
