"""Answers to writes that were made under an Idempotency-Key, kept so that a retry gets the same one again."""

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from config.shared.fields import IdField, JSONTextField
from config.shared.querysets import ProjectQuerySet
from sessions_app.models.accounts import Project


class KeptAnswer(models.Model):
    """One row is one Idempotency-Key of a project, written in the transaction of what was done under it.

    `fingerprint` tells whether a second request is the same one. The body is sealed: it may show a new key.
    """

    project = models.ForeignKey(Project, models.CASCADE, verbose_name=_("project"), db_index=False)
    key = IdField(_("key"))
    fingerprint = models.CharField(_("fingerprint"), max_length=64)
    status = models.PositiveSmallIntegerField(_("status"), default=0)
    headers = JSONTextField(_("headers"), default=dict)
    body = models.TextField(_("sealed body"), blank=True, default="")
    created_at = models.DateTimeField(_("created at"), default=timezone.now)

    objects = ProjectQuerySet.as_manager()

    class Meta:
        verbose_name = _("kept answer")
        verbose_name_plural = _("kept answers")
        constraints = [
            # Two requests with one key meet here: the second waits for the first, and gets its answer.
            models.UniqueConstraint(fields=["project", "key"], name="kept_answer_once_per_key"),
        ]
        indexes = [
            # The scheduled job that forgets old answers.
            models.Index(fields=["created_at"], name="kept_answer_by_age"),
        ]

    def __str__(self) -> str:
        return self.key
