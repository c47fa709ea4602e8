"""What every fact has: its project, its session, an id within the session, and a time."""

from datetime import datetime
from typing import Self

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from config.shared.fields import IdField, JSONTextField
from sessions_app.models import OfSessionQuerySet, Project, Session


class FactQuerySet(OfSessionQuerySet):
    """Which facts."""

    def in_session(self, session: Session) -> Self:
        """Return the facts of one session."""
        return self.filter(session=session)

    def in_period(self, start: datetime | None, end: datetime | None) -> Self:
        """Return facts from `start` (included) to `end` (excluded); None leaves that side open."""
        rows = self if start is None else self.filter(timestamp__gte=start)
        return rows if end is None else rows.filter(timestamp__lt=end)


class Fact(models.Model):
    """What was reported about a session at one moment.

    The project stands on every fact, so that walls and global lists need no join. `record_id` comes from the client
    or is made here; it is unique within the session, so that a retried write never doubles a fact.
    """

    # The composite indexes of each kind serve both foreign keys: separate ones would only slow down loading.
    # The project is always the session's, which the session's own foreign key holds: the database would only check the
    # same once more for every row, which costs a tenth of the rate of recording.
    project = models.ForeignKey(
        Project,
        models.PROTECT,
        verbose_name=_("project"),
        db_index=False,
        db_constraint=False,
    )
    session = models.ForeignKey(Session, models.CASCADE, verbose_name=_("session"), db_index=False)
    record_id = IdField(_("record id"))
    timestamp = models.DateTimeField(_("time"), default=timezone.now)
    metadata = JSONTextField(_("metadata"), default=dict)

    objects = FactQuerySet.as_manager()

    class Meta:
        abstract = True
        ordering = ()

    def __str__(self) -> str:
        return self.record_id
